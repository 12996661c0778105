// NIfTI-1 files in the page: a scan read from an ArrayBuffer, a mask written with its scan's geometry.

const TYPES = {
  2: Uint8Array, 4: Int16Array, 8: Int32Array, 16: Float32Array, 64: Float64Array, 256: Int8Array, 512: Uint16Array,
  768: Uint32Array,
};

/** What a user can mend: a sentence for the page. */
export class ScanError extends Error {}

const isZipped = (bytes) => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** A file's content, unzipped if it is zipped; whatever its name says. */
export async function unzipped(content) {
  if (!isZipped(new Uint8Array(content, 0, Math.min(2, content.byteLength)))) return content;
  return through(content, new DecompressionStream("gzip")).catch(() => {
    throw new ScanError("The file is damaged or cut off: copy or download it again.");
  });
}

export const zipped = (content) => through(content, new CompressionStream("gzip"));

const through = (content, stream) => new Response(new Blob([content]).stream().pipeThrough(stream)).arrayBuffer();

/**
 * A scan: `shape` (x, y, z), `voxels` in stored order (x runs fastest), `affine` (3 rows of 4, in mm), `isBelieved` (the
 * file says where its voxels lie), `spacing` in mm or null, `header` (its bytes, for a mask), `notes` (sentences).
 */
export function readNifti(content) {
  const view = new DataView(content), little = content.byteLength >= 348 && view.getInt32(0, true) === 348;
  if (!little && !(content.byteLength >= 348 && view.getInt32(0, false) === 348)) {
    throw new ScanError("This is no NIfTI-1 file. Give a scan that ends in .nii or .nii.gz.");
  }
  const int16 = (at) => view.getInt16(at, little), float = (at) => view.getFloat32(at, little);
  const dims = Array.from({ length: int16(40) }, (_, k) => int16(42 + 2 * k));
  if (dims.length < 3 || dims.slice(3).some((one) => one !== 1) || dims.some((one) => one < 1)) {
    throw new ScanError(`The file has the dimensions ${dims.join(" x ")}; a scan has three: x, y, z.`);
  }
  const shape = dims.slice(0, 3), Type = TYPES[int16(70)];
  if (!Type) throw new ScanError("Its voxels are of a kind that is not read here: convert it to 16-bit HU.");
  const voxels = readVoxels(content, Math.round(float(108)), shape, Type, little, float(112), float(116));
  const header = new DataView(content.slice(0, 348));
  return { shape, voxels, header, little, ...placeOf(view, int16, float, little) };
}

function readVoxels(content, offset, [x, y, z], Type, little, slope, intercept) {
  const count = x * y * z, bytes = Type.BYTES_PER_ELEMENT;
  if (content.byteLength < offset + count * bytes) throw new ScanError("The file is cut off: copy or download it again.");
  const raw = content.slice(offset, offset + count * bytes);
  if (!little && bytes > 1) {
    const all = new Uint8Array(raw);
    for (let at = 0; at < all.length; at += bytes) all.subarray(at, at + bytes).reverse();
  }
  const voxels = new Type(raw);
  // As nibabel: a slope of 0, or none, means that nothing is scaled.
  const scaled = Number.isFinite(slope) && slope !== 0 && !(slope === 1 && !(intercept || 0));
  if (!scaled && Type !== Float64Array) return voxels;
  const [by, plus] = scaled ? [slope, intercept || 0] : [1, 0];
  const numbers = new Float32Array(voxels.length);
  for (let i = 0; i < voxels.length; i++) numbers[i] = voxels[i] * by + plus;
  return numbers;
}

function placeOf(view, int16, float, little) {
  const [qform, sform] = [int16(252), int16(254)], zooms = [80, 84, 88].map(float), notes = [];
  let affine = sform > 0 ? [280, 296, 312].map((row) => [0, 4, 8, 12].map((k) => float(row + k))) : fromQform(float);
  const units = view.getUint8(123) % 8, sizes = () => spacingOf(affine);
  const numbers = affine.flat(), flat = Math.abs(determinant(affine)) < 1e-45 || Math.min(...sizes()) < 1e-15;
  const unit = numbers.every((one, k) => Math.abs(one - (k % 5 === 0 ? 1 : 0)) < 1e-8) && zooms.every((one) => one === 1);
  let doubt = "";
  if (sform === 0 && qform === 0) doubt = "sform and qform code 0";
  else if (!numbers.every((one) => Math.abs(one) < 1e15)) doubt = "an affine with NaN or infinite numbers";
  else if (flat) doubt = "an affine that gives voxels no volume";
  else if (unit && units === 0) doubt = "an identity affine, unit zooms, no units";
  if (doubt) {
    notes.push(`no affine to believe (${doubt}): spacing unknown, orientation by rule`);
    return { affine, isBelieved: false, spacing: null, notes };
  }
  const factor = { 1: 1000, 3: 0.001 }[units] ?? 1, sane = (all) => all.every((one) => one > 0.01 && one < 100);
  const scaled = sizes().map((one) => one * factor);
  if (factor !== 1 && !(sane(sizes()) && !sane(scaled))) {
    affine = affine.map((row) => row.map((one) => one * factor));
    notes.push("lengths are not in mm: taken as mm");
  }
  return { affine, isBelieved: true, spacing: spacingOf(affine), notes };
}

function fromQform(float) {
  let [b, c, d] = [256, 260, 264].map(float);
  const long = Math.hypot(b, c, d);
  if (long > 1) [b, c, d] = [b, c, d].map((one) => one / long);
  const a = Math.sqrt(Math.max(0, 1 - (b * b + c * c + d * d)));
  const turn = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
  ];
  const zooms = [float(80), float(84), float(88) * (float(76) < 0 ? -1 : 1)];
  return turn.map((row, k) => [...row.map((one, axis) => one * zooms[axis]), float(268 + 4 * k)]);
}

const spacingOf = (affine) => [0, 1, 2].map((axis) => Math.hypot(...affine.map((row) => row[axis])));

function determinant([[a, b, c], [d, e, f], [g, h, i]]) {
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}

/** A mask, 0 and 1 in the scan's stored order, as an unzipped file: the scan's geometry, and nothing else of its header. */
export function writeNifti(mask, scan) {
  const file = new ArrayBuffer(352 + mask.length), to = new DataView(file), from = scan.header, little = scan.little;
  to.setInt32(0, 348, true);
  for (let at = 40; at < 56; at += 2) to.setInt16(at, from.getInt16(at, little), true); // dim
  for (let at = 76; at < 108; at += 4) to.setFloat32(at, from.getFloat32(at, little), true); // pixdim
  to.setUint8(123, from.getUint8(123)); // units
  for (const at of [252, 254]) to.setInt16(at, from.getInt16(at, little), true); // which form counts
  for (let at = 256; at < 328; at += 4) to.setFloat32(at, from.getFloat32(at, little), true); // both forms
  to.setInt16(70, 2, true); // uint8
  to.setInt16(72, 8, true);
  to.setFloat32(108, 352, true); // where voxels begin
  to.setFloat32(112, 1, true);
  [..."covidlab infection mask"].forEach((one, k) => to.setUint8(148 + k, one.charCodeAt(0)));
  [..."n+1"].forEach((one, k) => to.setUint8(344 + k, one.charCodeAt(0)));
  new Uint8Array(file).set(mask, 352);
  return file;
}
