// Lab "Your own scan": a file, its mask, and the mask as a file. Nothing leaves the page.

import { ask, COLOURS, drawSlice, sample } from "./page.js";

const find = (id) => document.getElementById(id);
const [status, slider, canvas] = ["scan-status", "scan-slice", "scan-picture"].map(find);
let shown = null; // what the worker gave for the scan that is shown
let address = null; // of the mask to download

const say = (words) => (status.textContent = words);

async function show(contents, name) {
  find("scan-result").hidden = true;
  window.labScan = null;
  say(`Reading ${name}`);
  try {
    shown = await ask("segment", { contents, name }, (words) => say(`${name}: ${words}`));
  } catch (error) {
    return say(`${name}: ${error.message}`);
  }
  const { shape, voxels, positive, millilitres, shares, notes, seconds, file } = shown;
  find("scan-name").textContent = name;
  const rows = [
    ["slices", `${shape[0]} of ${shape[1]} x ${shape[2]} pixels`], ["slices with a mark", positive],
    ["marked", millilitres === null ? `${voxels} voxels; the file does not say how large one is` : `${millilitres.toFixed(1)} ml (${voxels} voxels)`],
    ...Object.entries(shares).map(([side, share]) => [`share of the ${side} lung`, `${(100 * share).toFixed(1)} %`]),
  ];
  find("scan-numbers").replaceChildren(...rows.map(([what, value]) => {
    const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
    head.scope = "row";
    [head.textContent, cell.textContent] = [what, value];
    row.append(head, cell);
    return row;
  }));
  find("scan-notes").replaceChildren(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(new Blob([file], { type: "application/gzip" }));
  Object.assign(find("scan-download"), { href: address, download: `${name.replace(/\.nii(\.gz)?$/i, "")}_mask.nii.gz` });
  const plane = shape[1] * shape[2], counts = Array.from({ length: shape[0] }, (_, z) =>
    shown.marked.subarray(z * plane, (z + 1) * plane).reduce((sum, one) => sum + one, 0));
  slider.max = shape[0] - 1;
  slider.value = counts.indexOf(Math.max(...counts));
  find("scan-result").hidden = false;
  draw();
  say(`${name}: done in ${seconds.toFixed(1)} s. ${positive} of ${shape[0]} slices have a mark.`);
  window.labScan = { name, seconds };
}

function draw() {
  const { slices, marked, shape, aspect } = shown, z = Number(slider.value), plane = shape[1] * shape[2];
  const mask = marked.subarray(z * plane, (z + 1) * plane);
  const layers = find("scan-mask").checked ? [{ mask, colour: COLOURS.prediction }] : [];
  drawSlice(canvas, slices.subarray(z * plane, (z + 1) * plane), shape.slice(1), {
    aspect, layers, window: find("scan-window").value.split(" ").map(Number),
  });
  const pixels = mask.reduce((sum, one) => sum + one, 0);
  const words = `Slice ${z + 1} of ${shape[0]}, counted from the feet: ${pixels ? `${pixels} pixels marked` : "nothing marked"}`;
  find("scan-caption").textContent = words;
  slider.setAttribute("aria-valuetext", words);
  canvas.setAttribute("aria-label", words);
}

/** A scan of one file, or of a folder with a DICOM series. */
async function take(files, name = files[0]?.name) {
  if (files.length) show(await Promise.all([...files].map((file) => file.arrayBuffer())), name);
}

/** What was dropped: files, those of folders too, and a name for them. */
async function dropped(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry);
  const promised = (call) => new Promise((resolve, reject) => call(resolve, reject));
  const filesOf = async (entry) => {
    if (entry.isFile) return [await promised((...both) => entry.file(...both))];
    const reader = entry.createReader(), inside = [];
    for (let some; (some = await promised((...both) => reader.readEntries(...both))).length; ) inside.push(...some);
    return (await Promise.all(inside.filter((one) => one.isFile).map(filesOf))).flat();
  };
  return [(await Promise.all(entries.map(filesOf))).flat(), entries[0]?.name];
}

find("scan-file").addEventListener("change", (event) => take(event.target.files));
find("scan-folder").addEventListener("change", ({ target: { files } }) => take(files, files[0]?.webkitRelativePath.split("/")[0]));
find("scan-sample").addEventListener("click", async () => show([await sample("phantom.nii.gz")], "phantom.nii.gz"));
for (const id of ["scan-slice", "scan-mask", "scan-window"]) find(id).addEventListener("input", draw);
const zone = find("scan-zone");
zone.addEventListener("dragover", (event) => {
  event.preventDefault();
  zone.classList.add("over");
});
zone.addEventListener("dragleave", () => zone.classList.remove("over"));
zone.addEventListener("drop", (event) => {
  event.preventDefault();
  zone.classList.remove("over");
  dropped(event.dataTransfer.items).then(([files, name]) => take(files, name));
});

ask("open").then(
  () => {
    say("The network is loaded. Choose a scan.");
    for (const id of ["scan-file", "scan-folder", "scan-sample"]) find(id).disabled = false;
    window.labReady = true;
  },
  (error) => say(`The network could not be loaded: ${error.message}`),
);
