// A CT series in DICOM, one uncompressed file a slice, as a scan: covidlab.data.dicom, without what it mends. What is not
// plain is refused here, and the sentence says that `covidlab predict` reads more.

import { roundEven } from "./arrays.js";
import { ScanError } from "./nifti.js";

const MORE = "`covidlab predict` reads more of DICOM, or convert the series to NIfTI.";
const IMPLICIT = "1.2.840.10008.1.2", EXPLICIT = "1.2.840.10008.1.2.1";
const OPEN = 0xffffffff, PIXELS = "7fe00010"; // a length that is not told
const LONG = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const WANTED = new Map(Object.entries({
  "00020010": "syntax", "00080060": "modality", "0020000e": "series", "00200032": "position", "00200037": "orientation",
  "00280002": "samples", "00280008": "frames", "00280010": "rows", "00280011": "columns", "00280030": "spacing",
  "00280100": "bits", "00280103": "signed", "00281052": "intercept", "00281053": "slope", [PIXELS]: "pixels",
}));

export const isDicom = (content) =>
  content.byteLength > 132 && new TextDecoder("latin1").decode(content.slice(128, 132)) === "DICM";

/** What a file says under the tags that are wanted: numbers, text, or where its pixels lie. */
function tagsOf(content) {
  const view = new DataView(content), found = {};
  const text = (at, length) => new TextDecoder("latin1").decode(content.slice(at, at + length));
  let deep = 0; // in how many sequences, whose length is not told, we are
  for (let at = 132, start, length; at + 8 <= content.byteLength; ) {
    const name = [0, 2].map((k) => view.getUint16(at + k, true).toString(16).padStart(4, "0")).join("");
    const isShort = name.startsWith("fffe") || (!name.startsWith("0002") && found.syntax === IMPLICIT); // no letters for its kind
    if (isShort) [start, length] = [at + 8, view.getUint32(at + 4, true)];
    else if (LONG.has(text(at + 4, 2))) [start, length] = [at + 12, view.getUint32(at + 8, true)];
    else [start, length] = [at + 8, view.getUint16(at + 6, true)];
    if (length === OPEN) {
      if (name === PIXELS) throw new ScanError(`Compressed DICOM is not read here. ${MORE}`);
      deep += 1;
    } else if (name === "fffee00d" || name === "fffee0dd") deep -= 1;
    else if (!deep && WANTED.has(name)) {
      found[WANTED.get(name)] = name === PIXELS ? [start, length] : valueOf(view, start, length, name, text);
    }
    at = length === OPEN ? start : start + length;
  }
  return found;
}

function valueOf(view, start, length, name, text) {
  if (["00280002", "00280010", "00280011", "00280100", "00280103"].includes(name)) return view.getUint16(start, true);
  return text(start, length).replace(/[\0 ]+$/, "").trim();
}

const numbers = (words, count) => {
  const all = (words ?? "").split("\\").map(Number);
  return all.length === count && all.every(Number.isFinite) && words !== "" ? all : null;
};

/** One slice of a CT; null for what is none. */
function sliceOf(content) {
  const tags = tagsOf(content);
  if (tags.modality !== "CT" || !tags.pixels) return null;
  if (![IMPLICIT, EXPLICIT].includes(tags.syntax)) throw new ScanError(`DICOM of the kind ${tags.syntax} is not read here. ${MORE}`);
  if (Number(tags.frames || 1) > 1 || tags.samples > 1 || tags.bits !== 16) throw new ScanError(`One grey slice of 16 bits a file is read here. ${MORE}`);
  const [position, orientation, spacing] = [numbers(tags.position, 3), numbers(tags.orientation, 6), numbers(tags.spacing, 2)];
  if (!position || !orientation || !spacing) throw new ScanError(`A slice does not say where it lies. ${MORE}`);
  const Type = tags.signed ? Int16Array : Uint16Array, [start, length] = tags.pixels;
  if (length < tags.rows * tags.columns * 2) throw new ScanError("A slice is cut off: export the series again.");
  const raw = new Type(content.slice(start, start + tags.rows * tags.columns * 2));
  const [slope, intercept] = [Number(tags.slope || 1), Number(tags.intercept || 0)];
  // As the package does: in 32 bits, whole numbers that 16 bits hold.
  const hu = new Int16Array(raw.length);
  for (let i = 0; i < raw.length; i++) {
    hu[i] = Math.max(-32768, Math.min(32767, roundEven(Math.fround(Math.fround(raw[i] * slope) + intercept))));
  }
  return { ...tags, position, orientation, spacing, hu };
}

/** The series with most slices in some files, as `readNifti` gives a scan. */
export function readSeries(contents) {
  const slices = contents.filter(isDicom).map(sliceOf).filter((one) => one), groups = new Map();
  for (const one of slices) {
    const key = [one.series, one.rows, one.columns, ...one.orientation.map((side) => side.toFixed(3)), ...one.spacing].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const largest = [...groups.values()].sort((a, b) => b.length - a.length)[0] ?? [], notes = [];
  if (largest.length < 2) throw new ScanError("No CT series in DICOM: choose a folder with its slices, one file each.");
  if (groups.size > 1) notes.push(`${groups.size} series: read the one with most slices (${largest.length})`);
  const { rows, columns, orientation, spacing } = largest[0], [across, down] = [orientation.slice(0, 3), orientation.slice(3)];
  const cross = [0, 1, 2].map((k) => across[(k + 1) % 3] * down[(k + 2) % 3] - across[(k + 2) % 3] * down[(k + 1) % 3]);
  const height = ({ position }) => position.reduce((sum, one, k) => sum + one * cross[k], 0);
  largest.sort((a, b) => height(a) - height(b));
  const count = largest.length, first = largest[0].position, last = largest[count - 1].position;
  const step = first.map((one, k) => (last[k] - one) / (count - 1)), apart = (height(largest[count - 1]) - height(largest[0])) / (count - 1);
  largest.forEach(({ position }, k) => {
    const off = Math.hypot(...position.map((one, axis) => one - first[axis] - k * step[axis]));
    if (!(off < 0.1 * apart)) throw new ScanError(`Slices are missing, twice there or unevenly apart: export the series again. ${MORE}`);
  });
  // DICOM's x and y grow to the patient's left and back, NIfTI's to the right and front.
  const affine = [-1, -1, 1].map((sign, k) => [across[k] * spacing[1], down[k] * spacing[0], step[k], first[k]].map((one) => sign * one));
  const voxels = new Int16Array(rows * columns * count);
  largest.forEach(({ hu }, k) => voxels.set(hu, k * rows * columns));
  const shape = [columns, rows, count], sides = [0, 1, 2].map((axis) => Math.hypot(...affine.map((row) => row[axis])));
  return { shape, voxels, affine, isBelieved: true, spacing: sides, notes, little: true, header: headerOf(shape, sides, affine) };
}

/** What of a NIfTI header says where voxels lie, for the mask. */
function headerOf(shape, sides, affine) {
  const header = new DataView(new ArrayBuffer(348));
  [3, ...shape, 1, 1, 1, 1].forEach((one, k) => header.setInt16(40 + 2 * k, one, true));
  [1, ...sides].forEach((one, k) => header.setFloat32(76 + 4 * k, one, true));
  header.setUint8(123, 2); // mm
  header.setInt16(254, 1, true); // the sform counts
  affine.flat().forEach((one, k) => header.setFloat32(280 + 4 * k, one, true));
  return header;
}
