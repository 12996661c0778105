// Where the lungs are: covidlab.data.lungs, step by step and by the same names. Read that file first; it says why.

import {
  areas, argmax, dilate, disk, erode, fillHoles, label, maskOf, nearest, open, percentileOfCounts, roundEven, sizes,
} from "./arrays.js";
import { crop, GridFit } from "./grid.js";
import { closed, LEFT, RIGHT, SIDES, wallsBehind } from "./lung-closing.js";

const GRID = 128, DENSEST_AIR = 145, THIN = 52, GAS = 0.07, SMALL = 0.85, CUT = 0.5;
const LEAST = 0.08, CUT_OFF = 0.2, AIR = [0.15, 0.62], LOPSIDED = 2 / 3, THICK = 0.3, LOWEST_HU = -1250, HIGHEST_HU = 250;
const FOUR = disk(4), TWO = disk(2), ONE = disk(1);

/**
 * The lungs of a scan, with the lesions in them.
 *
 * slices: Uint8Array on the [-1250, 250] HU scale; shape: slices, rows, columns. Gives `sides` (1 right, 2 left) and
 * `near` (the lungs and two pixels of the grid around them) on the scan's own pixels; `window`, rows and columns looked at,
 * which are `grey` on the grid and lie there as `fit` says; and `findings`, sentences to be read before a mask is believed.
 */
export function lungMask(slices, shape, aspect = 1) {
  const [count, rows, columns] = shape, plane = rows * columns;
  const found = new Uint8Array(slices.length), near = new Uint8Array(slices.length);
  let window = [[0, rows], [0, columns]];
  let { fit, grey, body } = onGrid(slices, shape, window, aspect);
  const closer = around(body, fit, count);
  if (closer) {
    window = closer;
    ({ fit, grey, body } = onGrid(slices, shape, window, aspect));
  }
  const nothing = (reason) => ({
    sides: found, near, window, fit, grey, findings: [`WARNING: ${reason}: nothing is marked`],
  });
  if (!body.includes(1)) return nothing("no body in the field: nothing large is denser than air");
  const small = [count, GRID, GRID];
  const lungs = aerated(grey, body, small), reason = whyNoLungs(lungs, body, small);
  if (reason) return nothing(reason);
  const sides = closed(splitSides(lungs, body, small), body, small);
  const grown = dilate(maskOf(sides, (one) => one), small, TWO);
  const [[top, bottom], [left, right]] = window;
  for (let z = 0; z < count; z++) {
    const part = grown.subarray(z * GRID * GRID, (z + 1) * GRID * GRID);
    if (!part.includes(1)) continue;
    const side = sides.subarray(z * GRID * GRID, (z + 1) * GRID * GRID);
    const [isRight, isLeft, isNear] = [side.map((one) => one === RIGHT), side.map((one) => one === LEFT), part].map(
      (one) => fit.fromGrid(one),
    );
    for (let y = top, i = 0; y < bottom; y++) {
      for (let x = left; x < right; x++, i++) {
        const at = z * plane + y * columns + x;
        near[at] = isNear[i] >= 0.5 ? 1 : 0;
        found[at] = isRight[i] >= 0.5 ? RIGHT : isLeft[i] >= 0.5 ? LEFT : 0;
      }
    }
  }
  const area = [...areas(lungs, small)], across = areas(body, small);
  const gap = area.slice(area.findIndex((one) => one), area.findLastIndex((one) => one)).includes(0);
  const air = Math.max(...area.map((one, z) => one / Math.max(across[z], 1)));
  const walls = wallsBehind(sides, body, small), within = ends(maskOf(sides, (one) => one), grey, small);
  const said = findings(found, walls, within, gap, air);
  return { sides: found, near, window, fit, grey, findings: said };
}

/** Share of the right and the left lung, where found, that is marked. */
export function involvement(sides, marked) {
  const shares = {};
  for (const [name, side] of Object.entries(SIDES)) {
    let all = 0, lesion = 0;
    for (let i = 0; i < sides.length; i++) if (sides[i] === side) all++, (lesion += marked[i]);
    if (all) shares[name] = lesion / all;
  }
  return shares;
}

/** A table of 256 greys that brings a scan's healthy lung to `level`, 0..1, as weights may ask for. */
export function tone(slices, sides, level) {
  const hu = Array.from({ length: 256 }, (_, k) => LOWEST_HU + ((HIGHEST_HU - LOWEST_HU) * k) / 255);
  const thin = new Float64Array(256);
  for (let i = 0; i < slices.length; i++) if (sides[i] && hu[slices[i]] < -500) thin[slices[i]]++;
  for (let k = 1; k < 256; k++) thin[k] += thin[k - 1];
  if (!thin[255]) return Uint8Array.from(hu.keys());
  const by = LOWEST_HU + level * (HIGHEST_HU - LOWEST_HU) - hu[thin.findIndex((one) => one >= thin[255] / 2)];
  return Uint8Array.from(hu, (one) => {
    const moved = one + by * Math.min(1, Math.max(0, 1 - Math.abs(one + 750) / 450));
    return roundEven(Math.min(255, Math.max(0, ((moved - LOWEST_HU) / (HIGHEST_HU - LOWEST_HU)) * 255)));
  });
}

function findings(sides, walls, ends, gap, air) {
  const percent = (share) => `${roundEven(100 * share)}%`;
  const said = Object.entries(walls).filter(([, thick]) => thick > THICK).map(([name, thick]) =>
    `WARNING: ${percent(thick)} of the chest's depth lies behind the ${name} lung, where a wall takes some 20 %: ` +
    "if fluid or dense lung is there, mask and share lack it");
  const counts = Object.entries(SIDES).map(([name, side]) => [sides.reduce((sum, one) => sum + (one === side), 0), name]);
  const [[few, small], [many, large]] = counts.sort(([a], [b]) => a - b);
  if (few / many < LOPSIDED) {
    const how = few ? `${percent(few / many)} of the ${large} one's size` : "not found";
    said.push(`WARNING: the ${small} lung is ${how}: if dense lesions or fluid fill it, or it has collapsed, ` +
      "mask and share lack what is in there");
  }
  if (ends.length) {
    said.push(`WARNING: the scan ends within the lungs at its ${ends.join(" and the ")}: shares are of the part it shows`);
  }
  if (gap) said.push("WARNING: slices without lung lie between others: are some blank, or two scans in one file?");
  if (!(AIR[0] < air && air < AIR[1])) {
    const why = air < AIR[0] ? "dense lesions or fluid fill both, mask and shares lack what is in there"
      : "the scan is blackened or cut off around them, mask and shares are not to be believed";
    said.push(`WARNING: lungs take ${percent(air)} of the body across, where 30 to 50 % are usual: if ${why}`);
  }
  return said;
}

/** Where a scan has values of its own: all but the grid's padding and that of a round field. */
function fieldOf(grey) {
  const plane = GRID * GRID, light = new Uint8Array(plane), other = new Uint8Array(plane);
  grey.forEach((one, i) => {
    if (one > 5) light[i % plane] = 1;
    if (one !== grey[0]) other[i % plane] = 1;
  });
  return light.map((one, i) => one & other[i]);
}

/** Where a scan ends within its lungs, both on the grid. */
function ends(lungs, grey, shape) {
  const area = areas(lungs, shape), most = Math.max(...area);
  const inside = erode(fieldOf(grey), [1, GRID, GRID], FOUR), all = area.reduce((sum, one) => sum + one, 0);
  const beside = lungs.reduce((sum, one, i) => sum + (one && !inside[i % (GRID * GRID)] ? 1 : 0), 0);
  const here = [area[0] > CUT * most, area[area.length - 1] > CUT * most, beside > 0.01 * all];
  return ["lower end", "upper end", "picture's edge"].filter((_, k) => here[k]);
}

function onGrid(slices, [count, rows, columns], window, aspect) {
  const [[top, bottom], [left, right]] = window, plane = rows * columns;
  const fit = new GridFit(GRID, bottom - top, right - left, aspect), grey = new Uint8Array(count * GRID * GRID);
  for (let z = 0; z < count; z++) {
    const slice = crop(slices.subarray(z * plane, (z + 1) * plane), columns, window);
    grey.set(fit.toGrid(slice), z * GRID * GRID);
  }
  return { fit, grey, body: bodyMask(grey, [count, GRID, GRID]) };
}

/** The rows and columns that a small body fills; null if it is not small. */
function around(body, fit, count) {
  const used = [new Uint8Array(GRID), new Uint8Array(GRID)];
  body.forEach((one, i) => {
    if (one) (used[0][Math.floor(i / GRID) % GRID] = 1), (used[1][i % GRID] = 1);
  });
  const ends = used.map((side) => [side.indexOf(1), side.lastIndexOf(1)]);
  const across = ends[0][0] < 0 ? GRID : Math.max(...ends.map(([first, last]) => last - first + 1));
  if (across >= SMALL * GRID) return null;
  return ends.map(([first, last], axis) => {
    const start = (first + last + 1 - across) / 2 - fit.place[axis];
    const pixels = [fit.height, fit.width][axis];
    const [from, to] = [start, start + across].map((one) => (one * pixels) / fit.covered[axis]);
    return [Math.max(Math.floor(from), 0), Math.min(Math.ceil(to), pixels)];
  });
}

function whyNoLungs(lungs, body, shape) {
  if (!lungs.includes(1)) {
    return "no lungs in the field, or none with air: no air in the body but gas, or in parts smaller than a lung";
  }
  const area = areas(lungs, shape), most = Math.max(...area), share = most / Math.max(...areas(body, shape));
  if (share < CUT_OFF && Math.max(area[0], area[area.length - 1]) > 0.9 * most) {
    return `no chest in the field: an end of the lungs alone, at most ${roundEven(100 * share)}% of the body across`;
  }
  if (share < LEAST) {
    return `no chest in the field, or lungs nearly without air: it takes ${roundEven(100 * share)}% of the body across`;
  }
  return "";
}

function bodyMask(grey, shape) {
  const parts = label(open(maskOf(grey, (one) => one > DENSEST_AIR), shape, TWO), shape);
  const counted = sizes(parts), most = Math.max(...counted), plane = GRID * GRID;
  if (!most) return new Uint8Array(grey.length);
  const large = [...counted.keys()].filter((part) => counted[part] > 0.1 * most).sort((a, b) => counted[b] - counted[a]);
  const inSlices = new Map(large.map((part) => [part, new Set()]));
  parts.labels.forEach((part, i) => inSlices.get(part)?.add(Math.floor(i / plane)));
  const taken = new Set(), pieces = new Set();
  for (const part of large) { // blank slices may cut the body itself into pieces, which have no slice in common
    if (![...inSlices.get(part)].some((z) => taken.has(z))) pieces.add(part), inSlices.get(part).forEach((z) => taken.add(z));
  }
  const body = fillHoles(maskOf(parts.labels, (part) => pieces.has(part)), shape);
  const field = fieldOf(grey), one = [1, GRID, GRID], inner = erode(field, one, ONE);
  const rim = field.map((here, i) => here && !inner[i] ? 1 : 0);
  for (let start = 0; start < body.length; start += plane) {
    const slice = body.subarray(start, start + plane), open = cutOpen(grey.subarray(start, start + plane), slice, field, rim);
    body.set(fillHoles(slice.map((here, i) => here | open[i]), one), start);
  }
  return body;
}

/** Lungs of a slice that the edge of its field cuts open: they lie between the body's rows, not all around it. */
function cutOpen(grey, body, field, rim) {
  const { labels, count } = label(maskOf(field, (one, i) => one && !body[i]), [1, GRID, GRID]);
  const within = new Uint8Array(GRID), all = rim.reduce((sum, one) => sum + one, 0);
  body.forEach((one, i) => one && (within[Math.floor(i / GRID)] = 1));
  const parts = Array.from({ length: count + 1 }, () => ({ size: 0, between: 0, along: 0, greys: new Float64Array(256) }));
  labels.forEach((part, i) => {
    const one = parts[part];
    one.size++, one.greys[grey[i]]++, (one.between += within[Math.floor(i / GRID)]), (one.along += rim[i]);
  });
  const lung = parts.map(({ size, between, along, greys }, part) =>
    part && between > 0.75 * size && along < 0.67 * all && percentileOfCounts(greys, 50) > THIN ? 1 : 0);
  return Uint8Array.from(labels, (part) => lung[part]);
}

/** Voxels of each part in the slice that has most of them; label 0 counts as one. */
function widest({ labels, count }, [, rows, columns]) {
  const most = new Float64Array(count + 1), plane = rows * columns;
  for (let start = 0; start < labels.length; start += plane) {
    const here = new Map();
    for (let i = start; i < start + plane; i++) here.set(labels[i], (here.get(labels[i]) ?? 0) + 1);
    for (const [part, n] of here) most[part] = Math.max(most[part], n);
  }
  return most;
}

/** What is gas alone far and wide, also where it touches a lung: a full stomach, or a chest whose lung collapsed. */
function cavities(gas, grey, share, shape) {
  const { labels, count } = label(open(gas, shape, FOUR), shape);
  const counts = Array.from({ length: count + 1 }, () => new Float64Array(256));
  labels.forEach((part, i) => counts[part][grey[i]]++);
  const empty = counts.map((one, part) => (part && percentileOfCounts(one, 50, (k) => share[k]) < 0.03 ? 1 : 0));
  return Uint8Array.from(labels, (part) => empty[part]);
}

function aerated(grey, body, shape) {
  const byBody = dilate(body, shape, TWO), outside = new Float64Array(256), inside = new Float64Array(256);
  const plane = GRID * GRID, hasBody = areas(body, shape);
  for (let i = 0; i < grey.length; i++) {
    if (!byBody[i] && grey[i] > 5 && hasBody[Math.floor(i / plane)]) outside[grey[i]]++;
    if (body[i] && grey[i] > DENSEST_AIR) inside[grey[i]]++;
  }
  const air = outside.some((one) => one) ? percentileOfCounts(outside, 25) : 42, tissue = percentileOfCounts(inside, 50);
  const span = Math.max(tissue - air, 1);
  const share = Float32Array.from({ length: 256 }, (_, k) => Math.fround(Math.fround(k - air) / Math.fround(span)));
  const within = erode(body, shape, TWO);
  const light = open(maskOf(within, (one, i) => one && share[grey[i]] < Math.fround(0.8)), shape, ONE);
  const gas = open(maskOf(light, (one, i) => one && share[grey[i]] < Math.fround(GAS)), shape, ONE);
  const parts = label(light, shape), counted = sizes(parts), broad = widest(parts, shape);
  const across = Math.max(...areas(body, shape));
  const gassy = new Float64Array(parts.count + 1);
  gas.forEach((one, i) => (gassy[parts.labels[i]] += one));
  const greys = new Map(); // counts of greys in the parts that may be lungs whose walls have gone
  gassy.forEach((one, part) => {
    gassy[part] = one / Math.max(counted[part], 1);
    if (gassy[part] > 0.1 && broad[part] > 0.1 * across) greys.set(part, new Float64Array(256));
  });
  parts.labels.forEach((part, i) => greys.get(part) && greys.get(part)[grey[i]]++);
  const thin = new Uint8Array(parts.count + 1);
  for (const [part, counts] of greys) thin[part] = percentileOfCounts(counts, 50, (k) => share[k]) > 0.03 ? 1 : 0;
  const byGas = dilate(gas, shape, TWO), byCavity = dilate(cavities(gas, grey, share, shape), shape, TWO);
  const lung = maskOf(light, (one, i) => {
    const part = parts.labels[i];
    return one && !byCavity[i] && (thin[part] || !(gassy[part] > 0.2 || byGas[i]));
  });
  return lungParts(open(lung, shape, ONE), shape, across);
}

/** Those parts that are as wide as a lung, and pieces of some size that lie in the same slices. */
function lungParts(lung, shape, across) {
  const [slices, rows, columns] = shape, parts = label(lung, shape), counted = sizes(parts);
  const surely = widest(parts, shape).map((one, part) => (counted[part] > 0 && one > 0.02 * across ? 1 : 0));
  let first = slices, last = -1;
  parts.labels.forEach((part, i) => {
    if (!surely[part]) return;
    const z = Math.floor(i / (rows * columns));
    first = Math.min(first, z);
    last = Math.max(last, z);
  });
  const least = 0.02 * Math.max(...counted);
  return maskOf(parts.labels, (part, i) => {
    const z = Math.floor(i / (rows * columns));
    return last >= 0 && part && counted[part] >= least && z >= first && z <= last;
  });
}

function splitSides(lungs, body, shape) {
  const columns = shape[2], used = new Uint8Array(columns);
  body.forEach((one, i) => one && (used[i % columns] = 1));
  const middle = (used.indexOf(1) + used.lastIndexOf(1)) / 2;
  let parts, left;
  for (let radius = 0; radius < 5; radius++) {
    const core = erode(lungs, shape, disk(radius));
    parts = label(core.includes(1) ? core : lungs, shape);
    const counted = sizes(parts);
    left = new Float64Array(parts.count + 1);
    parts.labels.forEach((part, i) => i % columns > middle && left[part]++);
    left = left.map((one, part) => one / Math.max(counted[part], 1));
    const share = left[argmax(counted)];
    if (!(share > 0.15 && share < 0.85)) break;
  }
  let from = null; // of each voxel the nearest one in a part; itself, where nothing was eroded
  if (lungs.some((one, i) => one && !parts.labels[i])) {
    ({ from } = nearest(maskOf(parts.labels, (one) => one), shape, [3, 1, 1]));
  }
  return lungs.map((one, i) => (one ? (left[parts.labels[from ? from[i] : i]] > 0.5 ? LEFT : RIGHT) : 0));
}

