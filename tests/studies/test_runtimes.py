import os
import subprocess
import sys

import numpy as np
import pytest

from covidlab.beyond.export import export_model
from covidlab.errors import missing_packages
from covidlab.models import light_unet, nano_unet
from covidlab.models.segmenter import Segmenter
from covidlab.models.weights_file import WeightsInfo
from studies import runtimes
from studies.runtimes import WITH_OPENVINO, open_openvino, simulate_workers, volume_time
from tests.chest import chest, write_chest

needs_openvino = pytest.mark.skipif(
    bool(missing_packages(*WITH_OPENVINO["OpenVINO"].needs)), reason="the extra `export` is not installed"
)


@needs_openvino
def test_openvino_runs_the_onnx_file_in_float32(tmp_path):
    model = nano_unet(widths=(2, 3, 4))
    slices = np.random.default_rng(0).random((1, 37, 37, 1), dtype=np.float32)
    export_model(model, tmp_path / "m.onnx", slices)
    found = open_openvino(tmp_path / "m.onnx", 1)(slices)
    np.testing.assert_allclose(found, model(slices, training=False).numpy(), atol=1e-5)


@needs_openvino
def test_openvino_reports_nothing_of_its_use(tmp_path):
    code = "import pathlib; from studies import runtimes; runtimes.open_openvino(pathlib.Path('absent.onnx'), 1)"
    places = {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | places, capture_output=True, text=True, timeout=300
    )
    assert "absent.onnx" in done.stderr  # openvino was imported, and then missed the file
    assert not [path for path in tmp_path.rglob("*") if "openvino" in path.name or "intel" in path.name]


def test_a_scan_from_file_to_file_is_compared_with_its_model(tmp_path, monkeypatch):
    clock = np.zeros(2)
    # Seconds that pass, and seconds of all cores.
    costs = {"predict_file": (5, 6), "read_scan": (1, 1)}  # and the network's own, below

    def slowed(name):
        work = getattr(runtimes, name)

        def run(*given, **more):
            clock[:] += costs[name]
            return work(*given, **more)

        return run

    for name in costs:
        monkeypatch.setattr(runtimes, name, slowed(name))
    segmenter = Segmenter(light_unet(widths=(2, 3)), WeightsInfo("light_unet", 16, 0.5, "nothing"))
    probabilities = Segmenter.probabilities

    def slow_network(*given):
        clock[:] += (2, 3)
        return probabilities(*given)

    monkeypatch.setattr(Segmenter, "probabilities", slow_network)
    monkeypatch.setattr(runtimes, "_clocks", clock.copy)
    scan = tmp_path / "scan.nii.gz"
    write_chest(scan, chest()[0])  # without lungs the network is not asked
    found = volume_time(scan, segmenter, rounds=2)
    assert (found.shape, found.grid) == ((128, 128, 24), 16)
    assert (found.seconds, found.model_seconds) == (7, 2)
    assert found.parts == {"reading": 1, "lungs": 0, "grid and back": 0}
    assert (found.ratio, found.processor_ratio) == pytest.approx((7 / 2, 9 / 3))
    assert "128 x 128 x 24, on 16 px: file to file 7.00 s, the model alone 2.00 s; ratio 3.50" in found.sentence


def test_simulated_workers_take_what_can_be_calculated():
    half = np.array([0.5])
    assert simulate_workers(half, 1000, 2, dispatch=0).seconds == 254  # the start, then 500 scans each
    assert simulate_workers(half, 1000, 100, dispatch=0.01).seconds == pytest.approx(14.5, abs=0.02)  # the scheduler's
    for life in (5, 60):
        found = simulate_workers(half, 20_000, 10, life, dispatch=0)
        # What a worker with a life at random takes for a scan, with its new starts.
        assert found.seconds == pytest.approx(2000 * (np.exp(0.5 / life) - 1) * (life + 4), rel=0.02)
        deaths = 20_000 * (np.exp(0.5 / life) - 1)
        assert found.killed == pytest.approx(deaths, abs=4 * np.sqrt(deaths)) and found.lost < 0.06  # four deviations
    assert simulate_workers(half, 100, 10, life=0.2, start=0.1).apart > 0  # most workers die over a scan
