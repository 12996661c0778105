import os
import subprocess
import sys

import numpy as np
import pytest

from covidlab.beyond.export import export_model, missing_packages
from covidlab.models import nano_unet
from studies.runtimes import WITH_OPENVINO, open_openvino

pytestmark = pytest.mark.skipif(
    bool(missing_packages(*WITH_OPENVINO["OpenVINO"].needs)), reason="the extra `export` is not installed"
)


def test_openvino_runs_the_onnx_file_in_float32(tmp_path):
    model = nano_unet(widths=(2, 3, 4))
    slices = np.random.default_rng(0).random((1, 37, 37, 1), dtype=np.float32)
    export_model(model, tmp_path / "m.onnx", slices)
    found = open_openvino(tmp_path / "m.onnx", 1)(slices)
    np.testing.assert_allclose(found, model(slices, training=False).numpy(), atol=1e-5)


def test_openvino_reports_nothing_of_its_use(tmp_path):
    code = "import pathlib; from studies import runtimes; runtimes.open_openvino(pathlib.Path('absent.onnx'), 1)"
    places = {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | places, capture_output=True, text=True, timeout=300
    )
    assert "absent.onnx" in done.stderr  # openvino was imported, and then missed the file
    assert not [path for path in tmp_path.rglob("*") if "openvino" in path.name or "intel" in path.name]
