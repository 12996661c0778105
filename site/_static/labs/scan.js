// What a scan's numbers mean and which way up it lies: covidlab.data.intensities and covidlab.data.orientation, by their
// rules. What they refuse is refused here; of their findings only those that decide something are told.

import { argmax, erode, dilate, label, median, percentile, roundEven, sizes } from "./arrays.js";
import { ScanError } from "./nifti.js";

const LOWEST_HU = -1250, WIDTH = 1500, DARKEST_HU = -1024, SOFT_TISSUE_HU = 20, f32 = Math.fround;

/**
 * A scan that was read, for the eye and for the network: `slices`, Uint8Array on the [-1250, 250] HU scale, foot to head,
 * spine down, the patient's right on the left; their `shape`; `aspect`, a pixel's height over its width; `notes`, in
 * sentences; `toStored`, which puts a mask of that shape back into the file's own order, and `toDisplay`, its inverse.
 */
export function understand(scan, name) {
  const meaning = meaningOf(scan.voxels), notes = [...scan.notes];
  let turn;
  if (scan.isBelieved) turn = byAffine(scan.affine);
  else {
    const axis = sliceAxis(scan.shape);
    turn = (axis === 2 && byName(name)) || byPicture(scan, meaning, axis);
  }
  notes.push(turn.says);
  const shape = turn.axes.map((axis) => scan.shape[axis]), at = reader(scan.shape, turn);
  let kind = meaning;
  if (meaning.kind === "record_window" && isStretched(scan.voxels, shape, at)) {
    kind = { kind: "stretched", says: "each slice was scaled by itself: HU are estimated from its darkest voxel and its soft tissue" };
  }
  notes.push(kind.says);
  const side = scan.isBelieved || turn.byName ? spineSide(middle(shape).map((z) => windowed(scan.voxels, z, shape, at, kind)), shape) : "down";
  if (!["down", "unclear"].includes(side)) {
    notes.push(`WARNING: by its file the spine is down, the picture shows it ${side}: check the orientation`);
  }
  const [count, rows, columns] = shape, plane = rows * columns, slices = new Uint8Array(count * plane);
  for (let z = 0; z < count; z++) slices.set(windowed(scan.voxels, z, shape, at, kind), z * plane);
  const ratio = scan.spacing ? scan.spacing[turn.axes[1]] / scan.spacing[turn.axes[2]] : 1;
  const toStored = (mask) => {
    const stored = new Uint8Array(mask.length), { first, step } = at;
    for (let z = 0, i = 0; z < count; z++) {
      for (let y = 0; y < rows; y++) {
        for (let x = 0, to = first + z * step[0] + y * step[1]; x < columns; x++, i++, to += step[2]) stored[to] = mask[i];
      }
    }
    return stored;
  };
  const toDisplay = (stored) => {
    const shown = new Uint8Array(stored.length);
    for (let z = 0; z < count; z++) shown.set(rawSlice(stored, z, shape, at), z * plane);
    return shown;
  };
  return { slices, shape, aspect: Math.abs(ratio - 1) < 0.01 ? 1 : ratio, notes, toStored, toDisplay };
}

/** Where a file's voxels lie for display: the first one, and how far on the next slice, row and column are. */
function reader(stored, { axes, flips }) {
  const strides = [1, stored[0], stored[0] * stored[1]];
  const first = axes.reduce((sum, axis, k) => sum + (flips[k] ? (stored[axis] - 1) * strides[axis] : 0), 0);
  return { first, step: axes.map((axis, k) => (flips[k] ? -strides[axis] : strides[axis])) };
}

/** One slice as stored, in display order. */
function rawSlice(voxels, z, [, rows, columns], { first, step }) {
  const slice = new voxels.constructor(rows * columns);
  for (let y = 0, i = 0; y < rows; y++) {
    for (let x = 0, from = first + z * step[0] + y * step[1]; x < columns; x++, i++, from += step[2]) slice[i] = voxels[from];
  }
  return slice;
}

/** One slice as grey values on the [-1250, 250] HU scale, in 32 bits as NumPy does it. */
function windowed(voxels, z, shape, at, { kind }) {
  const raw = rawSlice(voxels, z, shape, at), grey = new Uint8Array(raw.length);
  if (kind === "record_window") return new Uint8Array(raw);
  let toHU = (one) => f32(one);
  if (kind === "unit") toHU = (one) => f32(f32(f32(one) * WIDTH) + LOWEST_HU);
  if (kind === "stretched") {
    const soft = softTissue(raw), slope = f32((SOFT_TISSUE_HU - DARKEST_HU) / (Number.isNaN(soft) ? 1 : soft));
    toHU = (one) => f32(f32(one * slope) + DARKEST_HU);
  }
  for (let i = 0; i < raw.length; i++) {
    if (i && raw[i] === raw[i - 1]) grey[i] = grey[i - 1]; // much air is alike
    else grey[i] = roundEven(f32(255 * Math.min(1, Math.max(0, f32(f32(toHU(raw[i]) - LOWEST_HU) / WIDTH)))));
  }
  return grey;
}

function meaningOf(voxels) {
  let low = Infinity, high = -Infinity, whole = true, bad = 0;
  const different = new Set();
  for (let i = 0; i < voxels.length; i++) {
    const one = voxels[i];
    if (one < low) low = one;
    if (one > high) high = one;
    if (whole && one !== Math.round(one)) whole = false;
    if (!Number.isFinite(one)) bad++;
    if (different.size <= 3) different.add(one);
  }
  const span = `values from ${low} to ${high}`;
  if (bad) throw new ScanError(`${bad} voxels are NaN or infinite: write the scan again; air is -1000 HU.`);
  if (low === high) throw new ScanError(`Every voxel has the value ${low}: this is no picture.`);
  if (low < -100) return checkHounsfield(voxels, low, high, span);
  if (low >= 0 && high <= 255) {
    if ((whole && high <= 3) || different.size <= 3) {
      throw new ScanError(`This looks like a mask (${span}): give the scan that it belongs to.`);
    }
    if (whole) return { kind: "record_window", says: `${span}: taken for [-1250, 250] HU as 0 to 255` };
    if (high <= 1) return { kind: "unit", says: `${span}: taken for [-1250, 250] HU as 0 to 1` };
  }
  throw new ScanError(`${span}: neither HU (air near -1000), nor 0 to 255, nor 0 to 1.`);
}

/** Values that go below -100 and lie where no HU lie are refused. */
function checkHounsfield(voxels, low, high, span) {
  const step = Math.max(1, Math.floor(voxels.length / 300000)), inside = [];
  for (let i = 0; i < voxels.length; i += step) if (voxels[i] > low) inside.push(voxels[i]);
  const share = (from, to) => inside.filter((one) => one > from && one < to).length / Math.max(1, inside.length);
  const bones = share(-1100, -200) < 0.05 && share(300, Infinity) > 0.1;
  if (bones || (share(-150, 200) < 0.05 && share(-Infinity, -1200) > 0.1)) {
    throw new ScanError(`${span}, but they are no HU: apply the scanner's rescale slope and intercept, once.`);
  }
  return { kind: "hu", says: `HU: ${span}` };
}

/** The grey of soft tissue in a slice; NaN where it is black. */
function softTissue(slice) {
  const most = slice.reduce((a, b) => Math.max(a, b), 0);
  return most ? median(slice.filter((one) => one > most / 4)) : NaN;
}

/** Whether slices were each stretched to 0..255; see `find_stretched`. */
function isStretched(voxels, shape, at) {
  if (shape[0] < 8) return false;
  const above = (least) => voxels.reduce((sum, one) => sum + (one >= least), 0);
  const [light, some, dark] = [above(200), above(64), above(1)];
  if (light > 0.05 * some || dark - above(33) < 0.25 * dark) return false;
  const greys = Array.from({ length: shape[0] }, (_, z) => softTissue(rawSlice(voxels, z, shape, at)));
  const [low, half, high] = [5, 50, 95].map((share) => percentile(greys.filter((one) => !Number.isNaN(one)), share));
  return high - low >= 0.05 * half;
}

// Which way up -------------------------------------------------------------------------------------------------------

/** Foot to head, spine down, the patient's right on the left, by what the file says. */
function byAffine(affine) {
  const rotation = polar(affine.map((row) => row.slice(0, 3)));
  const strength = (axis) => Math.min(...rotation.map((row) => -(row[axis] ** 2)));
  const along = [], positive = [];
  for (const axis of [0, 1, 2].sort((a, b) => strength(a) - strength(b))) {
    const sizes = rotation.map((row) => Math.abs(row[axis])), out = argmax(sizes);
    along[out] = axis;
    positive[out] = rotation[out][axis] > 0;
    rotation[out] = [0, 0, 0];
  }
  const codes = ["LR", "PA", "IS"], letters = [];
  along.forEach((axis, out) => (letters[axis] = codes[out][Number(positive[out])]));
  return { axes: [along[2], along[1], along[0]], flips: [!positive[2], positive[1], positive[0]], says: `lies as its affine says: stored ${letters.join("")}` };
}

/** The rotation nearest to an affine's three columns, as nibabel takes it. */
function polar(matrix) {
  const zooms = [0, 1, 2].map((axis) => Math.hypot(...matrix.map((row) => row[axis])) || 1);
  let now = matrix.map((row) => row.map((one, axis) => one / zooms[axis]));
  for (let k = 0; k < 60; k++) {
    const [[a, b, c], [d, e, f], [g, h, i]] = now;
    const adjoint = [
      [e * i - f * h, f * g - d * i, d * h - e * g], [c * h - b * i, a * i - c * g, b * g - a * h],
      [b * f - c * e, c * d - a * f, a * e - b * d],
    ];
    const det = a * adjoint[0][0] + b * adjoint[0][1] + c * adjoint[0][2];
    now = now.map((row, y) => row.map((one, x) => (one + adjoint[y][x] / det) / 2));
  }
  return now;
}

/** The record's rule for its files, whichever copy of it they come from. */
function byName(name) {
  const stem = name.replace(/\.nii(\.gz)?$/i, "");
  const radiopaedia = /^radiopaedia.*?(?<!\d)(\d+_\d+_\d+)([-_ .]\D.*|_0000)?$/i.exec(stem);
  if (radiopaedia) {
    const reverse = radiopaedia[1].startsWith("7_85703_0");
    return { axes: [2, 1, 0], flips: [reverse, false, false], says: "lies by the record's rule for radiopaedia", byName: true };
  }
  const corona = /^(?:corona[-_ ]?cases?[-_ ]*(?:org)?[-_ ]*(?:case)?[-_ ]*|case(?=0))(\d{1,3})([-_ .]\D.*|_0000)?$/i.exec(stem);
  if (corona && corona[1] >= 1 && corona[1] <= 10) {
    return { axes: [2, 1, 0], flips: [false, true, false], says: "lies by the record's rule for coronacases", byName: true };
  }
  return null;
}

/** The axis that slices follow each other along, by the shape alone: square slices have two sides alike. */
function sliceAxis(shape) {
  const odd = [0, 1, 2].filter((axis) => shape.filter((one) => one === shape[axis]).length === 1);
  return odd.length === 1 ? odd[0] : 2;
}

/** The spine alone says which way is down. */
function byPicture(scan, meaning, axis) {
  const looked = [
    { axes: [0, 1, 2], flips: [false, false, false] }, { axes: [1, 2, 0], flips: [false, true, false] },
    { axes: [2, 1, 0], flips: [false, true, false] },
  ][axis];
  const shape = looked.axes.map((one) => scan.shape[one]), at = reader(scan.shape, looked);
  const side = spineSide(middle(shape).map((z) => windowed(scan.voxels, z, shape, at, meaning)), shape);
  const { axes: [slices, rows, columns], flips: [, up, left] } = looked;
  const turned = {
    up: { axes: looked.axes, flips: [false, !up, left] },
    left: { axes: [slices, columns, rows], flips: [false, !left, up] },
    right: { axes: [slices, columns, rows], flips: [false, left, !up] },
  }[side] ?? looked;
  const words = side === "unclear" ? "spine direction unclear" : `spine found ${side}, turned down`;
  return { ...turned, says: `WARNING: no rule for this name: ${words}; left and right, head and foot are unverified` };
}

/** A dozen slices, or up to two, of the middle third. */
function middle([count]) {
  const third = Math.floor(count / 3), from = third, to = Math.max(third + 1, count - third);
  const step = Math.max(1, Math.floor((to - from) / 12));
  return Array.from({ length: Math.ceil((to - from) / step) }, (_, k) => from + k * step);
}

/** Where the spine lies: "down", "up", "left", "right", or "unclear". */
function spineSide(slices, [, rows, columns]) {
  const thinned = Math.max(1, Math.floor(Math.min(rows, columns) / 100));
  const [high, wide] = [Math.ceil(rows / thinned), Math.ceil(columns / thinned)];
  const shares = slices.map((slice) => {
    const small = new Uint8Array(high * wide);
    for (let y = 0; y < high; y++) for (let x = 0; x < wide; x++) small[y * wide + x] = slice[y * thinned * columns + x * thinned];
    return boneBySide(small, high, wide);
  }).filter((one) => one);
  const bone = [0, 1, 2, 3].map((k) => (shares.length ? shares.reduce((sum, one) => sum + one[k], 0) / shares.length : 0));
  const order = [0, 1, 2, 3].sort((a, b) => bone[b] - bone[a]);
  const clear = bone[order[0]] >= 0.03 && bone[order[0]] >= 1.5 * bone[order[1]];
  return clear ? ["down", "left", "up", "right"][order[0]] : "unclear";
}

function boneBySide(slice, high, wide) {
  const shape = [1, high, wide], cross = [[-1, 0], [0, -1], [0, 0], [0, 1], [1, 0]], least = 0.5 * percentile(slice, 95);
  let body = slice.map((one) => (one > least ? 1 : 0));
  for (const step of [erode, erode, dilate, dilate]) body = step(body, shape, cross);
  const parts = label(body, shape);
  if (!parts.count) return null;
  const largest = argmax(sizes(parts)), greys = slice.filter((_, i) => parts.labels[i] === largest);
  const brightest = Math.max(percentile(greys, 97.5), 1);
  if (greys.filter((one) => one >= brightest).length >= 0.5 * greys.length) return [0, 0, 0, 0];
  let [top, bottom, left, right] = [high, -1, wide, -1];
  parts.labels.forEach((part, i) => {
    if (part !== largest) return;
    const y = Math.floor(i / wide), x = i % wide;
    [top, bottom, left, right] = [Math.min(top, y), Math.max(bottom, y), Math.min(left, x), Math.max(right, x)];
  });
  let box = [];
  for (let y = top; y <= bottom; y++) box.push(Array.from({ length: right - left + 1 }, (_, x) => slice[y * wide + left + x] >= brightest));
  return [0, 1, 2, 3].map(() => {
    const height = box.length - 1, centre = (box[0].length - 1) / 2, tenth = 0.1 * (box[0].length - 1);
    let bright = 0, all = 0;
    for (let y = Math.trunc(0.6 * height); y < Math.trunc(0.9 * height); y++) {
      for (let x = Math.trunc(centre - tenth); x <= Math.trunc(centre + tenth); x++) all++, (bright += box[y][x] ? 1 : 0);
    }
    box = box[0].map((_, x) => box.map((row) => row[row.length - 1 - x])); // a quarter turn, as np.rot90's
    return all ? bright / all : 0;
  });
}
