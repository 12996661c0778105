// What NumPy and SciPy do for covidlab, for the labs: order statistics, morphology, labels and distances.
// Volumes are typed arrays, slice after slice, each slice row after row; a mask is a Uint8Array of 0 and 1.
// "2-D" functions work on each slice alone, as the structuring elements of covidlab.data.lungs do.

/** A stack of slices' shape: slices, rows, columns. */
export const size = ([slices, rows, columns]) => slices * rows * columns;

/** Python's round and NumPy's rint: halves go to the even side. */
export function roundEven(x) {
  const low = Math.floor(x);
  const rest = x - low;
  return rest < 0.5 ? low : rest > 0.5 ? low + 1 : low + (low & 1);
}

/** Where a test holds, as a mask. A loop: the arrays' own `from` takes ten times as long. */
export function maskOf(values, holds) {
  const mask = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) if (holds(values[i], i)) mask[i] = 1;
  return mask;
}

/** NumPy's percentile, linear between two values; sorts a copy. */
export function percentile(values, share) {
  const sorted = new Float64Array(values).sort();
  const at = (share / 100) * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

export const median = (values) => percentile(values, 50);

/** The same of values 0, 1, 2 … by how often each occurs; `valueOf` says what they stand for. */
export function percentileOfCounts(counts, share, valueOf = (k) => k) {
  const nth = (n) => {
    let passed = 0, k = -1;
    while (passed <= n) passed += counts[++k];
    return valueOf(k);
  };
  const last = counts.reduce((sum, one) => sum + one, 0) - 1, at = (share / 100) * last, low = Math.floor(at);
  if (last < 0) return NaN;
  return at === low ? nth(low) : nth(low) + (nth(low + 1) - nth(low)) * (at - low);
}

/** Offsets (row, column) of skimage's disk. */
export function disk(radius) {
  const offsets = [];
  for (let y = -radius; y <= radius; y++) {
    for (let x = -radius; x <= radius; x++) {
      if (y * y + x * x <= radius * radius) offsets.push([y, x]);
    }
  }
  return offsets;
}

/** Binary dilation in 2-D; what lies outside a slice is 0. */
export function dilate(mask, [slices, rows, columns], element) {
  const out = new Uint8Array(mask.length);
  for (let z = 0, i = 0; z < slices; z++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, i++) {
        if (!mask[i]) continue;
        for (const [dy, dx] of element) {
          const b = y + dy, a = x + dx;
          if (b >= 0 && b < rows && a >= 0 && a < columns) out[i + dy * columns + dx] = 1;
        }
      }
    }
  }
  return out;
}

/** Binary erosion in 2-D; what lies outside a slice is 0, so borders are eaten, as SciPy does. */
export function erode(mask, [slices, rows, columns], element) {
  const out = new Uint8Array(mask.length);
  for (let z = 0, i = 0; z < slices; z++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, i++) {
        if (!mask[i]) continue;
        let all = 1;
        for (let k = 0; all && k < element.length; k++) {
          const b = y + element[k][0], a = x + element[k][1];
          all = b >= 0 && b < rows && a >= 0 && a < columns ? mask[i + element[k][0] * columns + element[k][1]] : 0;
        }
        out[i] = all;
      }
    }
  }
  return out;
}

export const open = (mask, shape, element) => dilate(erode(mask, shape, element), shape, element);

/** Pixels of a mask in each slice. */
export function areas(mask, [slices, rows, columns]) {
  const counted = new Float64Array(slices), plane = rows * columns;
  for (let i = 0; i < mask.length; i++) counted[Math.floor(i / plane)] += mask[i];
  return counted;
}

/** Parts that hang together by the sides of their voxels: labels from 1 on in reading order, and how many. */
export function label(mask, [slices, rows, columns]) {
  const labels = new Int32Array(mask.length), plane = rows * columns;
  const stack = [];
  let count = 0;
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || labels[start]) continue;
    labels[start] = ++count;
    stack.push(start);
    while (stack.length) {
      const i = stack.pop();
      const x = i % columns, y = Math.floor(i / columns) % rows, z = Math.floor(i / plane);
      const visit = (j) => {
        if (mask[j] && !labels[j]) {
          labels[j] = count;
          stack.push(j);
        }
      };
      if (x > 0) visit(i - 1);
      if (x < columns - 1) visit(i + 1);
      if (y > 0) visit(i - columns);
      if (y < rows - 1) visit(i + columns);
      if (z > 0) visit(i - plane);
      if (z < slices - 1) visit(i + plane);
    }
  }
  return { labels, count };
}

/** Voxels of each labelled part; none of what is no part, label 0. */
export function sizes({ labels, count }) {
  const counted = new Float64Array(count + 1);
  for (const part of labels) counted[part]++;
  counted[0] = 0;
  return counted;
}

export function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** Holes filled in 2-D: all that the slice's border cannot reach by the sides of pixels. */
export function fillHoles(mask, [slices, rows, columns]) {
  const out = new Uint8Array(mask.length).fill(1), plane = rows * columns;
  const stack = [];
  for (let z = 0; z < slices; z++) {
    const visit = (i) => {
      if (!mask[i] && out[i]) {
        out[i] = 0;
        stack.push(i);
      }
    };
    const base = z * plane;
    for (let x = 0; x < columns; x++) visit(base + x), visit(base + plane - columns + x);
    for (let y = 0; y < rows; y++) visit(base + y * columns), visit(base + y * columns + columns - 1);
    while (stack.length) {
      const i = stack.pop();
      const x = i % columns, y = Math.floor((i - base) / columns);
      if (x > 0) visit(i - 1);
      if (x < columns - 1) visit(i + 1);
      if (y > 0) visit(i - columns);
      if (y < rows - 1) visit(i + columns);
    }
  }
  return out;
}

/** Of each voxel the squared distance to the nearest voxel of the mask, and that voxel's position (Felzenszwalb). */
export function nearest(mask, shape, steps = [1, 1, 1]) {
  const [slices, rows, columns] = shape;
  const from = new Int32Array(mask.length).fill(-1), square = new Float64Array(mask.length).fill(Infinity);
  for (let i = 0; i < mask.length; i++) if (mask[i]) (square[i] = 0), (from[i] = i);
  const strides = [rows * columns, columns, 1];
  for (const axis of [0, 1, 2]) {
    const length = shape[axis], stride = strides[axis], step2 = steps[axis] ** 2;
    if (length === 1) continue;
    const sites = new Int32Array(length), edges = new Float64Array(length + 1);
    const value = new Float64Array(length), origin = new Int32Array(length);
    for (let start = 0; start < mask.length; start++) {
      if (Math.floor(start / stride) % length) continue;
      let last = -1;
      for (let q = 0; q < length; q++) {
        value[q] = square[start + q * stride] / step2;
        origin[q] = from[start + q * stride];
        if (value[q] === Infinity) continue;
        let edge = -Infinity;
        while (last >= 0) {
          const p = sites[last];
          edge = (value[q] + q * q - value[p] - p * p) / (2 * (q - p));
          if (edge > edges[last]) break;
          last--;
        }
        if (last < 0) edge = -Infinity;
        sites[++last] = q;
        edges[last] = edge;
      }
      if (last < 0) continue;
      for (let q = 0, k = 0; q < length; q++) {
        while (k < last && edges[k + 1] < q) k++;
        const p = sites[k];
        square[start + q * stride] = step2 * (value[p] + (q - p) ** 2);
        from[start + q * stride] = origin[p];
      }
    }
  }
  return { square, from };
}

/** skimage's isotropic_closing of one slice: bays closed that a disc of the radius does not fit into. */
export function close(mask, [, rows, columns], radius) {
  const shape = [1, rows, columns];
  const wide = maskOf(nearest(mask, shape).square, (one) => one <= radius * radius);
  const outside = nearest(wide.map((one) => 1 - one), shape).square;
  return maskOf(outside, (one) => one > radius * radius);
}

const mirrored = (i, length) => {
  while (i < 0 || i >= length) i = i < 0 ? -1 - i : 2 * length - 1 - i;
  return i;
};

/** SciPy's rank filter of a table (rows, columns) in a window, mirrored at its edges; rank 0 is the least. */
export function rankFilter(table, [rows, columns], [high, wide], rank) {
  const out = new Int32Array(table.length), seen = new Int32Array(high * wide);
  const up = high >> 1, left = wide >> 1;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let n = 0;
      for (let dy = -up; dy < high - up; dy++) {
        const row = mirrored(y + dy, rows) * columns;
        for (let dx = -left; dx < wide - left; dx++) seen[n++] = table[row + mirrored(x + dx, columns)];
      }
      out[y * columns + x] = rank === 0 ? Math.min(...seen) : rank === n - 1 ? Math.max(...seen) : seen.sort()[rank];
    }
  }
  return out;
}
