// Lab "Window, threshold, network": what each does to one slice of a synthetic patient, and to the scores.

import { ask, COLOURS, drawSlice, inWords, outcomes, sample, scores, windowed } from "./page.js";
import { readNifti, unzipped } from "./nifti.js";
import { understand } from "./scan.js";

const find = (id) => document.getElementById(id);
const value = (id) => Number(find(id).value);
const GRID = 128, PLANE = GRID * GRID;
let images, reference, count; // of the synthetic scan, slice after slice
let answers; // the network's probabilities for what it saw last
let seen = ""; // the window that it saw it through

/** A threshold from the slider: even steps of the logit, as most answers lie near 0 or 1. */
const threshold = () => 1 / (1 + Math.exp(-value("window-threshold")));

const part = (all, z) => all.subarray(z * PLANE, (z + 1) * PLANE);

/** What the network is to see: its own window, or the one that is shown. */
function asSeen() {
  if (!find("window-through").checked) return images;
  const [level, width] = [value("window-level"), value("window-width")];
  const shades = Uint8Array.from({ length: 256 }, (_, grey) => windowed(grey, level, width));
  return images.map((grey) => shades[grey]);
}

let busy = false, again = false;

/** Ask the network anew where its window has changed, then draw; while it works, only the last wish counts. */
async function update() {
  if (busy) return void (again = true);
  busy = true;
  do {
    again = false;
    const wish = find("window-through").checked ? `${find("window-level").value} ${find("window-width").value}` : "own";
    if (wish !== seen) {
      ({ answers } = await ask("probabilities", { slices: asSeen() }));
      seen = wish;
    }
  } while (again);
  busy = false;
  draw();
}

function draw() {
  const z = value("window-slice"), limit = threshold(), window = [value("window-level"), value("window-width")];
  const marked = Uint8Array.from(answers, (one) => (one >= limit ? 1 : 0));
  const here = [part(reference, z), part(marked, z)], slice = part(images, z), shape = [GRID, GRID];
  drawSlice(find("window-shown"), slice, shape, {
    window, layers: find("window-outline").checked ? [{ mask: here[0], colour: COLOURS.reference }] : [],
  });
  drawSlice(find("window-answers"), Uint8Array.from(part(answers, z), (one) => 255 * one), shape);
  drawSlice(find("window-compared"), slice, shape, { layers: outcomes(...here) });
  for (const [id, scored] of [["slice", scores(...here)], ["scan", scores(reference, marked)]]) {
    for (const [name, score] of Object.entries(scored)) find(`window-${id}-${name}`).textContent = inWords(score);
  }
  const said = {
    slice: `${z + 1} of ${count}`, level: `${window[0]} HU`, width: `${window[1]} HU`,
    threshold: limit < 0.1 || limit > 0.9 ? limit.toPrecision(2) : limit.toFixed(2),
  };
  for (const [id, words] of Object.entries(said)) {
    find(`window-${id}-said`).textContent = words;
    find(`window-${id}`).setAttribute("aria-valuetext", words);
  }
  tell(z, here, scores(...here), scores(reference, marked), said.threshold);
}

let pause = 0;

/** The same in words for who cannot see the pictures, once the sliders rest. */
function tell(z, [lesion, marked], here, all, limit) {
  const pixels = (mask) => mask.reduce((sum, one) => sum + one, 0);
  clearTimeout(pause);
  pause = setTimeout(() => {
    find("window-status").textContent =
      `Slice ${z + 1}: ${pixels(lesion)} pixels of lesion, ${pixels(marked)} marked at threshold ${limit}. ` +
      `F1 ${inWords(here.F1)} here, ${inWords(all.F1)} in the whole scan.`;
  }, 300);
}

async function start() {
  const [scan, mask] = await Promise.all(["phantom.nii.gz", "phantom-mask.nii.gz"].map(async (name) =>
    readNifti(await unzipped(await sample(name)))));
  const read = understand(scan, "phantom");
  [images, count] = [read.slices, read.shape[0]];
  reference = read.toDisplay(mask.voxels);
  const { info } = await ask("open");
  const first = Math.log(info.threshold / (1 - info.threshold)), slider = find("window-threshold");
  Object.assign(slider, { min: first - 7, max: first + 12, value: first }); // so that its own is one of the steps
  const most = Array.from({ length: count }, (_, z) => part(reference, z).reduce((sum, one) => sum + one, 0));
  find("window-slice").max = count - 1;
  find("window-slice").value = most.indexOf(Math.max(...most));
  await update();
  for (const name of ["slice", "level", "width", "threshold", "through", "outline"]) {
    find(`window-${name}`).disabled = false;
    find(`window-${name}`).addEventListener("input", update);
  }
  find("window-result").hidden = false;
  window.labReady = true;
}

start().catch((error) => (find("window-status").textContent = `The lab could not start: ${error.message}`));
