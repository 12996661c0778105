"""The forms that `covidlab time` knows, and OpenVINO beside them: the course's table of times has it, too."""

import sys
from pathlib import Path

from covidlab._tensorflow import quiet
from covidlab.beyond.export import Runner
from covidlab.beyond.timing import FORMS, Form


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
