// The network and all that takes long, beside the page, so that the page goes on answering. It fetches its own parts from
// its own folder and sends nothing anywhere.

import { alongZ } from "./along-z.js";
import { label, maskOf, sizes } from "./arrays.js";
import { isDicom, readSeries } from "./dicom.js";
import { involvement, lungMask, tone } from "./lungs.js";
import { readNifti, ScanError, unzipped, writeNifti, zipped } from "./nifti.js";
import * as ort from "./ort.wasm.min.mjs";
import { understand } from "./scan.js";

const MANY = 200; // slices from which on each is seen as it is or mirrored, not both
const MOST = 320; // slices in which covidlab predict looks for the lungs; this page looks in all
const OF_MORE = `of more than ${MOST} slices, covidlab predict looks for the lungs in every second or third: its mask may differ ` +
  "in a few voxels of ten thousand";

const here = (name) => new URL(name, import.meta.url).href;
const bytes = async (name) => unzipped(await (await fetch(here(name))).arrayBuffer());

/** The network, opened once, and what its weights file says of it. */
const opened = (async () => {
  const [runtime, file, info] = await Promise.all([
    bytes("ort-wasm-simd-threaded.wasm.gz"), bytes("network.onnx"), fetch(here("network.json")).then((one) => one.json()),
  ]);
  ort.env.wasm.wasmBinary = runtime;
  ort.env.wasm.wasmPaths = here("./");
  ort.env.wasm.numThreads = 1; // more need headers that plain file servers do not send
  return { session: await ort.InferenceSession.create(new Uint8Array(file)), info };
})();
opened.catch(() => {}); // whoever asks is told

/** One slice on the grid, grey values -> probabilities; of a scan of many slices every second one is seen mirrored alone. */
async function probabilities(slice, z, count) {
  const { session, info } = await opened;
  const once = async (greys) => {
    const given = new ort.Tensor("float32", Float32Array.from(greys, (one) => one / 255), [1, info.grid, info.grid, 1]);
    const answers = await session.run({ [session.inputNames[0]]: given });
    return answers[session.outputNames[0]].data;
  };
  if (!info.mirror) return once(slice);
  const turned = (one) => one.map((_, i) => one[i - (i % info.grid) + info.grid - 1 - (i % info.grid)]);
  if (count >= MANY) return z % 2 ? turned(await once(turned(slice))) : once(slice);
  const [plain, mirrored] = [await once(slice), turned(await once(turned(slice)))];
  return plain.map((one, i) => (one + mirrored[i]) / 2);
}

/** What is called lesion in one slice on the grid: from the threshold on, small spots dropped. */
function mark(answers, info, threshold) {
  const marked = maskOf(answers, (one) => one >= Math.fround(threshold));
  if (info.smallest <= 1) return marked;
  const parts = label(marked, [1, info.grid, info.grid]), counted = sizes(parts);
  return maskOf(marked, (one, i) => one && counted[parts.labels[i]] >= info.smallest);
}

/** A scan's mask inside its lungs, as `covidlab predict` makes it, and what is said about it. */
async function segment({ contents, name }, tell) {
  const { info } = await opened, start = performance.now();
  const isSeries = contents.length > 1 || isDicom(contents[0]);
  const scan = isSeries ? readSeries(contents) : readNifti(await unzipped(contents[0])), read = understand(scan, name);
  const { slices, shape, aspect, notes, toStored } = read, [count, rows, columns] = shape, plane = rows * columns;
  tell("Looking for the lungs");
  const lungs = lungMask(slices, shape, aspect), marked = new Uint8Array(slices.length);
  const greys = info.lung === null ? null : tone(slices, lungs.sides, info.lung);
  const [[top, bottom], [left, right]] = lungs.window, threshold = Math.fround(info.threshold);
  const near = (z) => lungs.near.subarray(z * plane, (z + 1) * plane);
  const used = Array.from({ length: count }, (_, z) => z).filter((z) => near(z).includes(1)), raw = [];
  for (const z of used) {
    if (raw.length % 5 === 0) tell(`Slice ${z + 1} of ${count}`);
    const onGrid = lungs.grey.subarray(z * info.grid ** 2, (z + 1) * info.grid ** 2);
    raw.push(await probabilities(greys ? onGrid.map((one) => greys[one]) : onGrid, z, count));
  }
  alongZ(raw, threshold).forEach((answers, k) => {
    const z = used[k], inside = near(z), spots = mark(answers, info, threshold);
    if (!spots.includes(1)) return;
    const back = lungs.fit.fromGrid(answers.map((one, i) => (one >= threshold && !spots[i] ? 0 : one)));
    for (let y = top, i = 0; y < bottom; y++) {
      for (let x = left; x < right; x++, i++) {
        const at = y * columns + x;
        if (back[i] >= threshold && inside[at]) marked[z * plane + at] = 1;
      }
    }
  });
  const voxels = marked.reduce((sum, one) => sum + one, 0);
  const file = await zipped(writeNifti(toStored(marked), scan));
  return {
    slices, shape, aspect, marked, file, voxels,
    positive: Array.from({ length: count }, (_, z) => marked.subarray(z * plane, (z + 1) * plane).includes(1)).filter((one) => one).length,
    millilitres: scan.spacing && (voxels * scan.spacing.reduce((a, b) => a * b)) / 1000,
    shares: involvement(lungs.sides, marked), notes: [...notes, ...(count > MOST ? [OF_MORE] : []), ...lungs.findings],
    seconds: (performance.now() - start) / 1000,
  };
}

/** What a page may ask: a scan's mask, the probabilities of slices on the grid, or nothing but that the network is open. */
const ANSWERS = {
  segment,
  async probabilities({ slices }) {
    const { info } = await opened, plane = info.grid ** 2, answers = new Float32Array(slices.length);
    for (let at = 0; at < slices.length; at += plane) answers.set(await probabilities(slices.subarray(at, at + plane)), at);
    return { answers };
  },
  open: async () => ({ info: (await opened).info }),
};

self.onmessage = async ({ data: { id, asked, given } }) => {
  try {
    const result = await ANSWERS[asked](given, (progress) => self.postMessage({ id, progress }));
    const large = Object.values(result).map((one) => one?.buffer ?? one).filter((one) => one instanceof ArrayBuffer);
    self.postMessage({ id, result }, large); // handed over, not copied
  } catch (error) {
    const words = error instanceof ScanError ? error.message : `This went wrong: ${error.message}`;
    self.postMessage({ id, error: words });
  }
};
