// Lab "Draw a lesion": change a slice, or its reference, and watch the network and the scores answer.

import { ask, COLOURS, drawSlice, inWords, outcomes, sample, scores } from "./page.js";
import { readNifti, unzipped } from "./nifti.js";
import { understand } from "./scan.js";

const find = (id) => document.getElementById(id);
const GRID = 128, PLANE = GRID * GRID, SHAPE = [GRID, GRID], HEALTHY_HU = -820;
const NAMES = ["slice", "radius", "density", "undo", "reset", "outlines"];
let images, references, count, limit; // of the synthetic scan, and the network's threshold
let picture, reference, answers; // of the slice that is worked on
let before = []; // what undo goes back to
let cursor = [64, 64]; // row and column, for the keyboard

const toGrey = (hu) => Math.round(Math.min(255, Math.max(0, ((hu + 1250) * 255) / 1500)));
const tool = () => document.querySelector("input[name=draw-tool]:checked").value;

/** Unevenness of lung and lesion, the same at each place, so that a second stroke changes nothing. */
const grain = (i) => Math.sin(i * 12.9898) * 43758.5453 % 1 * 60;

function paint(row, column) {
  const radius = Number(find("draw-radius").value), density = Number(find("draw-density").value), what = tool();
  for (let y = Math.max(0, row - radius); y <= Math.min(GRID - 1, row + radius); y++) {
    for (let x = Math.max(0, column - radius); x <= Math.min(GRID - 1, column + radius); x++) {
      if ((y - row) ** 2 + (x - column) ** 2 > radius * radius) continue;
      const i = y * GRID + x;
      if (what === "lesion") picture[i] = Math.max(picture[i], toGrey(density + grain(i)));
      if (what === "healthy") picture[i] = toGrey(HEALTHY_HU + grain(i));
      reference[i] = what === "lesion" || what === "add" ? 1 : 0;
    }
  }
}

function remember() {
  before.push([picture.slice(), reference.slice()]);
  if (before.length > 50) before.shift();
}

let busy = false, again = false;

/** Ask the network about the slice as it is now; while it works, only the last wish counts. */
async function update() {
  draw();
  if (busy) return void (again = true);
  busy = true;
  do {
    again = false;
    ({ answers } = await ask("probabilities", { slices: picture.slice() }));
  } while (again);
  busy = false;
  draw();
  tell();
}

const marked = () => Uint8Array.from(answers, (one) => (one >= limit ? 1 : 0));

function draw() {
  const mask = marked(), layers = find("draw-outlines").checked ? [
    { mask: reference, colour: COLOURS.reference }, { mask, colour: COLOURS.prediction, dashed: true },
  ] : [];
  const canvas = find("draw-picture");
  drawSlice(canvas, picture, SHAPE, { layers });
  if (document.activeElement === canvas) {
    const pen = canvas.getContext("2d"), step = canvas.width / GRID, radius = Number(find("draw-radius").value) + 0.5;
    pen.setLineDash([]);
    for (const [colour, width] of [["black", 4], ["white", 2]]) {
      [pen.strokeStyle, pen.lineWidth] = [colour, width];
      pen.beginPath();
      pen.arc((cursor[1] + 0.5) * step, (cursor[0] + 0.5) * step, radius * step, 0, 2 * Math.PI);
      pen.stroke();
    }
  }
  drawSlice(find("draw-compared"), picture, SHAPE, { layers: outcomes(reference, mask) });
  for (const [name, score] of Object.entries(scores(reference, mask))) find(`draw-${name}`).textContent = inWords(score);
  const said = {
    slice: `${Number(find("draw-slice").value) + 1} of ${count}`, radius: `${find("draw-radius").value} pixels`,
    density: `${find("draw-density").value} HU`,
  };
  for (const [id, words] of Object.entries(said)) {
    find(`draw-${id}-said`).textContent = words;
    find(`draw-${id}`).setAttribute("aria-valuetext", words);
  }
  find("draw-undo").disabled = !before.length;
}

let pause = 0;

/** The same in words, once the pen rests. */
function tell() {
  clearTimeout(pause);
  pause = setTimeout(() => {
    const pixels = (mask) => mask.reduce((sum, one) => sum + one, 0), { precision, recall, F1 } = scores(reference, marked());
    find("draw-status").textContent =
      `Reference ${pixels(reference)} pixels, network ${pixels(marked())}: precision ${inWords(precision)}, ` +
      `recall ${inWords(recall)}, F1 ${inWords(F1)}.`;
  }, 300);
}

function choose() {
  const z = Number(find("draw-slice").value);
  picture = images.slice(z * PLANE, (z + 1) * PLANE);
  reference = references.slice(z * PLANE, (z + 1) * PLANE);
  before = [];
  return update();
}

function listen() {
  const canvas = find("draw-picture");
  let last = null; // where the pen was
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width].map((one) =>
      Math.min(GRID - 1, Math.max(0, Math.floor(one * GRID))));
  };
  const stroke = (to) => {
    const steps = Math.max(1, ...to.map((one, k) => Math.abs(one - last[k])));
    for (let k = 0; k <= steps; k++) paint(...to.map((one, axis) => Math.round(last[axis] + ((one - last[axis]) * k) / steps)));
    last = cursor = to;
    update();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    remember();
    last = place(event);
    stroke(last);
  });
  canvas.addEventListener("pointermove", (event) => last && stroke(place(event)));
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (way) {
      const far = event.shiftKey ? 8 : 1;
      cursor = cursor.map((one, axis) => Math.min(GRID - 1, Math.max(0, one + far * way[axis])));
      const i = cursor[0] * GRID + cursor[1], hu = Math.round(-1250 + (picture[i] * 1500) / 255);
      find("draw-where").textContent = `Row ${cursor[0]}, column ${cursor[1]}: ${hu} HU, ${reference[i] ? "lesion" : "no lesion"}`;
      draw();
    } else if (event.key === " " || event.key === "Enter") {
      remember();
      paint(...cursor);
      update();
    } else return;
    event.preventDefault();
  });
  for (const event of ["focus", "blur"]) canvas.addEventListener(event, draw);
  find("draw-slice").addEventListener("input", choose);
  find("draw-reset").addEventListener("click", choose);
  for (const name of ["radius", "density", "outlines"]) find(`draw-${name}`).addEventListener("input", draw);
  find("draw-undo").addEventListener("click", () => {
    [picture, reference] = before.pop();
    update();
  });
}

async function start() {
  const [scan, mask] = await Promise.all(["phantom.nii.gz", "phantom-mask.nii.gz"].map(async (name) =>
    readNifti(await unzipped(await sample(name)))));
  const read = understand(scan, "phantom");
  [images, references, count] = [read.slices, read.toDisplay(mask.voxels), read.shape[0]];
  limit = (await ask("open")).info.threshold;
  answers = new Float32Array(PLANE);
  const most = Array.from({ length: count }, (_, z) => references.subarray(z * PLANE, (z + 1) * PLANE).reduce((a, b) => a + b, 0));
  find("draw-slice").max = count - 1;
  find("draw-slice").value = most.indexOf(Math.max(...most));
  find("draw-result").hidden = false;
  await choose();
  listen();
  for (const name of NAMES) find(`draw-${name}`).disabled = name === "undo";
  window.labReady = true;
}

start().catch((error) => (find("draw-status").textContent = `The lab could not start: ${error.message}`));
