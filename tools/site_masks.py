"""The lab that segments a scan, in headless Chromium, against `covidlab predict`: the same file in, the same mask out?

    python -m tools.site_masks OUT [SCAN ...]

Each SCAN, a NIfTI file or a folder with a DICOM series, by default the synthetic one that comes along, goes in through
the page's file input, and the mask out through its download link. Both masks are compared voxel by voxel, and their
geometry too. At least 99.99 % must be equal.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from covidlab.models.segment import predict_file
from covidlab.models.segmenter import open_segmenter
from tests.plots.chromium import open_page
from tools.site_browser import serve
from tools.site_labs import NETWORK

LEAST = 0.9999


def main(arguments=None) -> int:
    """Compare each scan; 1 where one differs too much."""
    parser = argparse.ArgumentParser(prog="python -m tools.site_masks", description=__doc__.split("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("scans", type=Path, nargs="*")
    options = parser.parse_args(arguments)
    scans = options.scans or [options.site / "_static" / "labs" / "phantom.nii.gz"]
    server, segmenter, worst = serve(options.site), open_segmenter(NETWORK, quick=True), 1.0
    with tempfile.TemporaryDirectory() as folder, open_page(Path(folder, "profile")) as page:
        downloads = Path(folder, "downloads")
        page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        page.go(f"http://127.0.0.1:{server.server_port}/labs/scan.html")
        page.wait("!!window.labReady")
        for scan in scans:
            before = cpu_seconds(folder)
            mine, seconds = in_page(page, scan, downloads), page.ask("window.labScan.seconds")
            browser = cpu_seconds(folder) - before
            expected = Path(folder, "expected.nii.gz")
            before = time.process_time()
            told = predict_file(scan, expected, segmenter)
            spent = time.process_time() - before
            theirs, ours = nib.load(expected), nib.load(mine)
            one, other = (np.asarray(image.dataobj) > 0 for image in (theirs, ours))
            same = float((one == other).mean()) if one.shape == other.shape else 0.0
            place = "the same place" if np.allclose(theirs.affine, ours.affine, atol=1e-4) else "ANOTHER PLACE"
            worst = min(worst, same if place == "the same place" else 0.0)
            differ = int((one != other).sum()) if one.shape == other.shape else one.size
            print(
                f"{scan.name}: {told.slices} slices, {same:.4%} of {one.size:,} voxels equal, {differ} differ of "
                f"{one.sum()} marked; {place}; {seconds:.2f} s in the page, all of Chromium {browser:.2f} CPU-s, "
                f"Python {spent:.2f}",
                flush=True,
            )
    server.shutdown()
    print(f"worst: {worst:.4%}")
    return int(worst < LEAST)


def cpu_seconds(profile: str) -> float:
    """What the browser's processes, known by their profile, have computed so far; nan where /proc is missing."""
    processes = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            processes[path.name] = (fields[1], int(fields[11]) + int(fields[12]), (path / "cmdline").read_text())
        except OSError:  # it has just ended
            continue
    ours = {number for number, (_, _, command) in processes.items() if profile in command}
    for _ in range(4):  # children of children: helpers do not all name the profile
        ours |= {number for number, (parent, _, _) in processes.items() if parent in ours}
    ticks = sum(processes[number][1] for number in ours if number != str(os.getpid()))
    return ticks / os.sysconf("SC_CLK_TCK") if processes else float("nan")


def in_page(page, scan: Path, downloads: Path) -> Path:
    """The mask that the page gives for a scan, as downloaded."""
    page.ask("window.labScan = null")
    document = page.send("DOM.getDocument")["root"]["nodeId"]
    chosen = "#scan-folder" if scan.is_dir() else "#scan-file"
    field = page.send("DOM.querySelector", nodeId=document, selector=chosen)["nodeId"]
    page.send("DOM.setFileInputFiles", nodeId=field, files=[str(scan.resolve())])
    page.wait("!!window.labScan", 300)
    name = page.ask("document.querySelector('#scan-download').download")
    page.ask("document.querySelector('#scan-download').click()")
    end = time.monotonic() + 30
    while not (downloads / name).exists() and time.monotonic() < end:
        time.sleep(0.1)
    return downloads / name


if __name__ == "__main__":
    sys.exit(main())
