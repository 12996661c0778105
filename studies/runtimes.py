"""Times that the course's tables have: a slice by OpenVINO, too, and a scan from file to file against its model; and
how long many scans take on many workers that fail, simulated from the seconds of scans that were segmented."""

import heapq
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from covidlab._tensorflow import quiet
from covidlab.beyond.timing import FORMS, Form
from covidlab.cluster import TRIES
from covidlab.data.grid import GridFit
from covidlab.data.lungs import lung_mask
from covidlab.data.scans import read_scan
from covidlab.models.exported import Runner
from covidlab.models.segment import predict_file
from covidlab.models.segmenter import Segmenter


def open_openvino(path: Path, threads: int) -> Runner:
    """An ONNX file as a function of one slice, in float32: on processors that can, its own default is bfloat16."""
    # OpenVINO reports its own import over the network and keeps a number for the user in the home folder. Without this
    # package it does neither: it has a stand-in for those who do not install it.
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads
    }  # fmt: skip
    core = openvino.Core()
    with quiet():
        # The reader of ONNX files, not `convert_model`, which reports its use over the network.
        request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()
    return lambda slice_: request.infer([slice_])[0]


WITH_OPENVINO = FORMS | {"OpenVINO": Form(open_openvino, "model.onnx", (*FORMS["ONNX Runtime"].needs, "openvino"))}


@dataclass(frozen=True)
class VolumeTime:
    """What a scan costs from file to file, and what of it is the model: medians over rounds that take turns."""

    scan: str
    shape: tuple[int, ...]  # x, y, z
    grid: int  # Pixels a side that the model works on
    seconds: float  # Of `predict_file`
    model_seconds: float  # Of the model alone on the scan's slices, ready on its grid
    ratio: float  # Of the one to the other, in turns, so that other work on the machine meets both alike
    processor_ratio: float  # The same in processor time, which other work hardly touches
    parts: dict[str, float]  # Seconds of reading, of finding the lungs, and of the way to the grid and back

    @property
    def sentence(self) -> str:
        """For people."""
        parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in self.parts.items())
        return (
            f"{self.scan}, {' x '.join(map(str, self.shape))}, on {self.grid} px: file to file {self.seconds:.2f} s, "
            f"the model alone {self.model_seconds:.2f} s; ratio {self.ratio:.2f} ({self.processor_ratio:.2f} in "
            f"processor time); {parts}"
        )


def volume_time(scan: Path, segmenter: Segmenter, rounds: int = 5) -> VolumeTime:
    """Segment a scan, a NIfTI file or a folder with one DICOM series, file to file, and in turns run the model alone
    on its slices. A `CovidlabError` if the scan cannot be read."""
    volume = read_scan(scan)
    fit = GridFit.of(volume, segmenter.info.grid)
    on_grid = fit.to_grid(volume.slices())
    probabilities = segmenter.probabilities(on_grid)
    times: dict[str, list[np.ndarray]] = {}

    def timed(part: str, function: Callable) -> None:
        start = _clocks()
        function()
        times.setdefault(part, []).append(_clocks() - start)

    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "mask.nii.gz"
        predict_file(scan, mask, segmenter)
        for _ in range(rounds):
            timed("all", lambda: predict_file(scan, mask, segmenter))
            timed("model", lambda: segmenter.probabilities(on_grid))
            timed("reading", lambda: read_scan(scan))
            timed("lungs", lambda: lung_mask(volume.slices(), volume.pixel_aspect))
            timed("grid and back", lambda: (fit.to_grid(volume.slices()), fit.from_grid(probabilities)))
    found = {part: np.array(values) for part, values in times.items()}
    ratio = np.median(found["all"] / found["model"], axis=0)
    seconds = {part: float(np.median(values[:, 0])) for part, values in found.items()}
    parts = {part: seconds[part] for part in ("reading", "lungs", "grid and back")}
    return VolumeTime(
        scan.name, volume.voxels.shape, segmenter.info.grid, seconds["all"], seconds["model"], float(ratio[0]),
        float(ratio[1]), parts,
    )  # fmt: skip


@dataclass(frozen=True)
class Simulated:
    """What came of many scans on many workers."""

    seconds: float  # Until the last scan has ended
    ideal: float  # The same on workers that are there at once, never fail and never wait
    killed: int  # Workers that died over a scan
    lost: float  # Share of the workers' seconds over scans that ended in their deaths
    apart: int  # Scans set apart, since each of `covidlab.cluster.TRIES` workers died over them


def simulate_workers(
    seconds: np.ndarray, scans: int, workers: int, life: float = np.inf, start: float = 4.0, dispatch: float = 0.006,
    seed: int = 0,
) -> Simulated:  # fmt: skip
    """Scans on workers as `covidlab.cluster` has them: each has one at a time, and what a dead one had is done again.

    - `seconds`, float array: what a scan takes: each draws one of these.
    - `life`, float: seconds that a worker lives in the mean; it dies at random. Another one has begun after `start`.
    - `dispatch`, float: seconds that the scheduler, which does one thing at a time, needs for a scan.
    """
    random = np.random.default_rng(seed)
    takes = random.choice(seconds, scans)
    free = [(start, start + one) for one in random.exponential(life, workers)]  # when it asks for a scan; when it dies
    heapq.heapify(free)
    new, again, scheduler, end, useful, lost, killed, apart = 0, [], 0.0, 0.0, 0.0, 0.0, 0, 0
    while new < scans or again:
        asks, dies = heapq.heappop(free)
        if again and (again[0][0] <= asks or new == scans):
            since, scan, tries = heapq.heappop(again)
        else:
            since, scan, tries, new = 0.0, new, 0, new + 1
        begins = max(asks, since, scheduler) + dispatch
        if dies <= begins:  # while it waited: no scan is blamed
            heapq.heappush(again, (since, scan, tries))
        else:
            scheduler = begins
            end, useful = max(end, min(dies, begins + takes[scan])), useful + takes[scan]
            if begins + takes[scan] <= dies:
                heapq.heappush(free, (begins + takes[scan], dies))
                continue
            killed, lost, useful = killed + 1, lost + dies - begins, useful - takes[scan]
            if tries + 1 < TRIES:
                heapq.heappush(again, (dies, scan, tries + 1))
            else:
                apart += 1
        heapq.heappush(free, (dies + start, dies + start + random.exponential(life)))
    return Simulated(end, float(takes.sum() / workers), killed, lost / (lost + useful), apart)


def _clocks() -> np.ndarray:
    """Seconds that have passed, and that all cores together have spent on this process."""
    return np.array([time.perf_counter(), time.process_time()])
