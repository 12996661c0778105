// What the three labs share: the worker, a slice on a canvas, and the sentence for a page that was opened from a file.

export const COLOURS = { reference: "#0072B2", prediction: "#E69F00", missed: "#CC79A7", false: "#F0E442", found: "#009E73" };

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let asked = 0;

worker.onmessage = ({ data: { id, result, error, progress } }) => {
  const { resolve, reject, tell } = waiting.get(id);
  if (progress) return tell?.(progress);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(result);
};
worker.onerror = (event) => {
  for (const { reject } of waiting.values()) reject(new Error(event.message || "the network could not be loaded"));
};

/** Ask the worker; `tell` is given sentences on the way. */
export const ask = (what, given = {}, tell = null) =>
  new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject, tell });
    worker.postMessage({ id: asked, asked: what, given });
  });

/** The synthetic scan that comes along, or its reference mask. */
export async function sample(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} is missing beside this page`);
  return answer.arrayBuffer();
}

/** Grey values on the [-1250, 250] HU scale through a window in HU, 0 to 255. */
export function windowed(grey, level, width) {
  const hu = -1250 + (grey * 1500) / 255;
  return Math.round(255 * Math.min(1, Math.max(0, (hu - (level - width / 2)) / width)));
}

/**
 * Draw one slice, Uint8Array (rows, columns), over the whole canvas, then layers over it.
 *
 * layers: [{ mask, colour, fill }]: a mask's border, or all of it, thinly. window: [level, width] in HU.
 */
export function drawSlice(canvas, slice, [rows, columns], { aspect = 1, window = [-500, 1500], layers = [] } = {}) {
  const scale = Math.max(1, Math.round(512 / Math.max(rows * aspect, columns)));
  const [wide, high] = [columns * scale, Math.round(rows * scale * aspect)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const shades = Uint8Array.from({ length: 256 }, (_, grey) => windowed(grey, ...window));
  const small = new OffscreenCanvas(columns, rows), pen = small.getContext("2d"), picture = pen.createImageData(columns, rows);
  for (let i = 0; i < slice.length; i++) {
    picture.data.fill(shades[slice[i]], 4 * i, 4 * i + 3);
    picture.data[4 * i + 3] = 255;
  }
  pen.putImageData(picture, 0, 0);
  const on = canvas.getContext("2d");
  on.imageSmoothingEnabled = true;
  on.imageSmoothingQuality = "high";
  on.drawImage(small, 0, 0, wide, high);
  for (const { mask, colour, fill, dashed } of layers) {
    const path = new Path2D(), [dx, dy] = [wide / columns, high / rows];
    for (let y = 0, i = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, i++) {
        if (!mask[i]) continue;
        if (fill) path.rect(x * dx, y * dy, dx, dy);
        else {
          const edge = (away, fromX, fromY, toX, toY) => {
            if (!away) path.moveTo(fromX * dx, fromY * dy), path.lineTo(toX * dx, toY * dy);
          };
          edge(y > 0 && mask[i - columns], x, y, x + 1, y);
          edge(y < rows - 1 && mask[i + columns], x, y + 1, x + 1, y + 1);
          edge(x > 0 && mask[i - 1], x, y, x, y + 1);
          edge(x < columns - 1 && mask[i + 1], x + 1, y, x + 1, y + 1);
        }
      }
    }
    on.strokeStyle = on.fillStyle = colour;
    on.lineWidth = Math.max(1.5, wide / 280);
    on.setLineDash(dashed ? [4, 4] : []);
    on.globalAlpha = fill ? 0.7 : 1;
    if (fill) on.fill(path);
    else on.stroke(path);
    on.globalAlpha = 1;
  }
}

/** Precision, recall and F1 of masks; null where one is not defined. */
export function scores(reference, marked) {
  let both = 0, inReference = 0, inMarked = 0;
  for (let i = 0; i < reference.length; i++) {
    both += reference[i] & marked[i];
    inReference += reference[i];
    inMarked += marked[i];
  }
  const share = (part, whole) => (whole ? part / whole : null);
  return {
    precision: share(both, inMarked), recall: share(both, inReference), F1: share(2 * both, inReference + inMarked),
  };
}

export const inWords = (score) => (score === null ? "not defined" : score.toFixed(2));

/** Found, missed and false pixels as layers. */
export function outcomes(reference, marked) {
  const layer = (colour, is) => ({ colour, fill: true, mask: reference.map((one, i) => (is(one, marked[i]) ? 1 : 0)) });
  return [
    layer(COLOURS.found, (a, b) => a && b), layer(COLOURS.missed, (a, b) => a && !b), layer(COLOURS.false, (a, b) => !a && b),
  ];
}
