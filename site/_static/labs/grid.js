// Slices between their own pixels and the network's square grid: covidlab.data.grid, and Pillow's resampling in it.

import { roundEven } from "./arrays.js";

const known = new Map(); // weights by both lengths: all slices of a scan need the same

/** Pillow's weights of a triangle for one axis: for each new pixel where it starts, and its weights. */
function triangles(length, wanted) {
  const key = `${length} ${wanted}`;
  if (!known.has(key)) known.set(key, weightsOf(length, wanted));
  return known.get(key);
}

function weightsOf(length, wanted) {
  const scale = length / wanted, wide = Math.max(scale, 1);
  return Array.from({ length: wanted }, (_, k) => {
    const centre = (k + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - wide + 0.5), 0);
    const stop = Math.min(Math.trunc(centre + wide + 0.5), length);
    const weights = [];
    for (let i = start; i < stop; i++) weights.push(Math.max(0, 1 - Math.abs((i - centre + 0.5) / wide)));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { start, weights: Float64Array.from(weights, (one) => (sum ? one / sum : one)) };
  });
}

/** One slice, any numbers (rows, columns) -> Float32Array (height, width): across first, then down, as Pillow does. */
export function resample(slice, [rows, columns], [height, width]) {
  const given = new Float32Array(slice); // of one kind always: browsers make that fast
  let across = given;
  if (width !== columns) {
    across = new Float32Array(rows * width);
    const weighted = triangles(columns, width);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < width; x++) {
        const { start, weights } = weighted[x];
        let sum = 0;
        for (let k = 0, i = y * columns + start; k < weights.length; k++) sum += given[i + k] * weights[k];
        across[y * width + x] = sum;
      }
    }
  }
  if (height === rows) return across;
  const down = new Float32Array(height * width), sums = new Float64Array(width);
  triangles(rows, height).forEach(({ start, weights }, y) => {
    sums.fill(0);
    for (let k = 0; k < weights.length; k++) {
      const weight = weights[k], from = (start + k) * width;
      for (let x = 0; x < width; x++) sums[x] += across[from + x] * weight;
    }
    down.set(sums, y * width);
  });
  return down;
}

/** How slices of height x width lie on a square grid; `aspect` is a pixel's height over its width. */
export class GridFit {
  constructor(side, height, width, aspect = 1) {
    Object.assign(this, { side, height, width, aspect });
    const sides = [height * aspect, width], longest = Math.max(...sides);
    this.covered = sides.map((one) => Math.max(1, roundEven((one * side) / longest)));
    this.place = this.covered.map((one) => (side - one) >> 1); // first row and column
    this.isIdentity = height === width && width === side && aspect === 1;
  }

  /** One slice of grey values -> Uint8Array (side, side), air beside it. */
  toGrid(slice) {
    if (this.isIdentity) return new Uint8Array(slice);
    const placed = new Uint8Array(this.side * this.side), [rows, columns] = this.covered;
    const scaled = resample(slice, [this.height, this.width], this.covered);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        placed[(this.place[0] + y) * this.side + this.place[1] + x] = roundEven(scaled[y * columns + x]);
      }
    }
    return placed;
  }

  /** One slice on the grid -> Float32Array (height, width), the padding cropped off. */
  fromGrid(onGrid) {
    if (this.isIdentity) return new Float32Array(onGrid);
    const [rows, columns] = this.covered, cut = new Float32Array(rows * columns);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        cut[y * columns + x] = onGrid[(this.place[0] + y) * this.side + this.place[1] + x];
      }
    }
    return resample(cut, this.covered, [this.height, this.width]);
  }
}

/** A part of a slice, rows and columns `[start, stop]` each. */
export function crop(slice, columns, [[top, bottom], [left, right]]) {
  if ((bottom - top) * (right - left) === slice.length) return slice;
  const out = new slice.constructor((bottom - top) * (right - left));
  for (let y = top, i = 0; y < bottom; y++) for (let x = left; x < right; x++) out[i++] = slice[y * columns + x];
  return out;
}
