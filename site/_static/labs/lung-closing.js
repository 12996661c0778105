// Each lung with the lesions that its air leaves out, and the walls behind both: the last steps of covidlab.data.lungs.

import { areas, close, fillHoles, maskOf, median, rankFilter, size } from "./arrays.js";

export const RIGHT = 1, LEFT = 2, SIDES = { right: RIGHT, left: LEFT };
const FAR = 999; // pixels: a wall without a lung before it

/** Each lung with its lesions; what both would take is neither's, unless it is air. */
export function closed(sides, body, shape) {
  const [right, left] = [RIGHT, LEFT].map((side) => {
    const lung = maskOf(sides, (one) => one === side);
    if (!lung.includes(1)) return lung;
    const inBody = between(filled(lung, shape), shape).map((one, i) => one & body[i]);
    return behind(inBody, body, shape).map((one, i) => one & body[i]);
  });
  return sides.map((one, i) => one || (right[i] && !left[i] ? RIGHT : left[i] && !right[i] ? LEFT : 0));
}

function filled(lung, [slices, rows, columns], radius = 8) {
  const whole = new Uint8Array(lung), plane = rows * columns, edge = radius + 1;
  for (let z = 0; z < slices; z++) {
    const slice = whole.subarray(z * plane, (z + 1) * plane), box = boxOf(slice, columns);
    if (!box) continue;
    const [[top, bottom], [left, right]] = box; // nothing outside of it is closed or a hole
    const wide = [1, bottom - top + 2 * edge, right - left + 2 * edge], padded = new Uint8Array(size(wide));
    for (let y = top; y < bottom; y++) {
      padded.set(slice.subarray(y * columns + left, y * columns + right), (y - top + edge) * wide[2] + edge);
    }
    const done = fillHoles(close(padded, wide, radius), wide);
    for (let y = top; y < bottom; y++) {
      const start = (y - top + edge) * wide[2] + edge;
      slice.set(done.subarray(start, start + right - left), y * columns + left);
    }
  }
  return whole;
}

/** Rows and columns, `[start, stop]` each, that a slice's mask fills; null for an empty one. */
function boxOf(slice, columns) {
  const first = slice.indexOf(1), last = slice.lastIndexOf(1);
  if (first < 0) return null;
  let [left, right] = [columns, -1];
  for (let i = first; i <= last; i++) {
    if (slice[i]) [left, right] = [Math.min(left, i % columns), Math.max(right, i % columns)];
  }
  return [[Math.floor(first / columns), Math.floor(last / columns) + 1], [left, right + 1]];
}

function usedSlices(lung, shape) {
  const area = areas(lung, shape);
  return [...area.keys()].filter((z) => area[z]);
}

function between(lung, shape) {
  const [slices, rows, columns] = shape, plane = rows * columns, used = usedSlices(lung, shape);
  const apart = Math.max(1, Math.floor((used[used.length - 1] - used[0]) / 4)), out = new Uint8Array(lung);
  for (let i = 0; i < plane; i++) {
    const below = new Int32Array(slices);
    for (let z = 0, last = -2 * slices; z < slices; z++) below[z] = last = lung[z * plane + i] ? z : last;
    for (let z = slices - 1, next = 2 * slices; z >= 0; z--) {
      if (lung[z * plane + i]) next = z;
      if (next - below[z] <= apart) out[z * plane + i] = 1;
    }
  }
  return out;
}

/** Pixels from a lung's lowest row to the back, the two rows, each (slice, column), and the body's depth there. */
function wallOf(lung, body, shape) {
  const [slices, rows, columns] = shape, plane = rows * columns;
  const [lowest, back] = [lung, body].map((mask) => {
    const last = new Int32Array(slices * columns).fill(-1);
    for (let i = 0; i < mask.length; i++) {
      if (mask[i]) last[Math.floor(i / plane) * columns + (i % columns)] = Math.floor(i / columns) % rows;
    }
    return last;
  });
  const depths = usedSlices(lung, shape).map((z) => {
    let deep = 0;
    for (let y = 0; y < rows; y++) deep += body.subarray(z * plane + y * columns, z * plane + (y + 1) * columns).includes(1);
    return deep;
  });
  return { wall: lowest.map((one, i) => (one >= 0 ? back[i] - one : FAR)), lowest, back, depth: median(depths) };
}

/** The share of the body's depth that lies behind each lung, in its median column. */
export function wallsBehind(sides, body, shape) {
  const walls = {};
  for (const [name, side] of Object.entries(SIDES)) {
    const lung = maskOf(sides, (one) => one === side);
    if (!lung.includes(1)) continue;
    const { wall, depth } = wallOf(lung, body, shape);
    walls[name] = median(wall.filter((one) => one < FAR)) / depth;
  }
  return walls;
}

function behind(lung, body, shape) {
  const [slices, rows, columns] = shape, plane = rows * columns, used = usedSlices(lung, shape);
  const { wall, lowest, back, depth } = wallOf(lung, body, shape);
  const thin = rankFilter(wall, [slices, columns], [3, 5], Math.trunc((15 * 20) / 100));
  for (let x = 0; x < columns; x++) {
    for (let z = 0; z < slices && lowest[z * columns + x] < 0; z++) thin[z * columns + x] = 0;
  }
  // An opening along z cuts peaks and keeps what rises to an end: at the top it shall, at the foot it shall not.
  const reach = Math.trunc(0.6 * (used[used.length - 1] - used[0] + 1)) | 1;
  const tall = [slices + 2 * reach, columns], padded = new Int32Array(tall[0] * columns);
  padded.set(thin, reach * columns);
  padded.fill(FAR, (reach + slices) * columns);
  const eroded = rankFilter(padded, tall, [reach, 1], 0);
  const usual = rankFilter(eroded, tall, [reach, 1], reach - 1).subarray(reach * columns, (reach + slices) * columns);
  const out = new Uint8Array(lung);
  for (let z = 0, i = 0; z < slices; z++) {
    for (let x = 0; x < columns; x++, i++) {
      const missing = wall[i] - usual[i];
      if (!(lowest[i] >= 0 && missing >= 2 && missing <= 0.25 * depth)) continue;
      for (let y = lowest[i] + 1; y <= back[i] - usual[i]; y++) out[z * plane + y * columns + x] = 1;
    }
  }
  return out;
}
