"""How long one slice takes on this processor, in each form that a model can be run in (paper, section III.C, Fig. 4).

All forms take turns, round after round, so that a processor that slows down or other work on the machine meets them
alike. Each turn begins with a call that is not counted, because the form before may have left its threads spinning.
Seconds differ from machine to machine; the time as a multiple of one large matrix product, measured in the same
rounds, differs far less. Each number of threads is measured in a process of its own: TensorFlow fixes its threads
when it starts. This module does not time training or whole scans (see `studies.rates`).
"""


import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras
from covidlab.beyond.export import ExportError, export_model, install, missing_packages
from covidlab.beyond.times import PRODUCT_SIDE, FormTime, ModelFacts, Spread, Timing, peak_gflops
from covidlab.errors import CovidlabError
from covidlab.models import MODELS
from covidlab.models.stages import gflop_per_slice
from covidlab.models.weights_file import WeightsInfo, save_weights
from covidlab.progress import progress_bar
from covidlab.tables import processor

# Each form with what it needs, by import name, and the file it runs; the first two run the Keras model itself.
FORMS = {
    "predict": ((), ""),
    "compiled call": ((), ""),
    "ONNX Runtime": (("tf2onnx", "onnxruntime"), "model.onnx"),
    "OpenVINO": (("tf2onnx", "onnxruntime", "openvino"), "model.onnx"),
    "LiteRT": (("ai_edge_litert",), "model.tflite"),
    "LiteRT int8": (("ai_edge_litert",), "int8.tflite"),
}

VERSIONS = ("tensorflow", "keras", "numpy", "onnxruntime", "openvino", "ai-edge-litert")


def resolve_threads(words: Sequence[str]) -> list[int]:
    """Numbers of threads, "all" being the processors that this process may use; each once.

    Raises
    ------
    CovidlabError
        If a word is neither a number above 0 nor "all".
    """
    every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        numbers = [every if word == "all" else int(word) for word in words]
        if min(numbers) < 1:
            raise ValueError
    except ValueError as error:
        raise CovidlabError("--threads", ",".join(words), "numbers above 0 and `all`", "such as 1,2,all") from error
    return list(dict.fromkeys(numbers))


def time_models(
    models: Mapping[str, Mapping],
    size: int,
    threads: Sequence[int],
    rounds: int = 10,
    forms: Sequence[str] = tuple(FORMS),
) -> Timing:
    """Time models in all wanted forms that are installed, at each number of threads.

    Parameters
    ----------
    models : mapping of name in `covidlab.models.MODELS` -> its options
    size : int
        Pixels a side; 630 is the record's own.
    threads : sequence of int
    rounds : int
    forms : sequence of names in `FORMS`
        A lesson has no time for all of them.

    Returns
    -------
    Timing
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    missing = {}
    for form in forms:
        if absent := missing_packages(*FORMS[form][0]):
            missing[form] = f"not installed: {install(absent)}"
    measured = [form for form in forms if form not in missing]
    # Models to make, then a process a number of threads: rough, but it moves.
    total, facts, times, products = len(models) + len(threads) * rounds, [], [], {}
    with tempfile.TemporaryDirectory() as folder, progress_bar("timing in other processes") as progress:
        for done, (name, options) in enumerate(models.items()):
            progress(done, total, f"making {name}")
            facts.append(_prepare(Path(folder) / name, name, options, size, set(measured)))
        for turn, number in enumerate(threads):

            def show(round_: int, turn=turn, number=number) -> None:
                progress(len(models) + turn * rounds + round_, total, f"{number} threads")

            found = _in_own_process(Path(folder), list(models), size, number, rounds, measured, show)
            products[number] = {library: Spread.of(seconds) for library, seconds in found["products"].items()}
            for row in found["forms"]:
                fact = facts[list(models).index(row["model"])]
                seconds, unit = np.array(row["seconds"]), np.array(found["products"]["TensorFlow"])
                share = fact.gflop / np.median(seconds) / peak_gflops(products[number])
                multiple = float(np.median(seconds / unit))
                times.append(
                    FormTime(fact.model, row["form"], number, row["cold"], Spread.of(seconds), multiple, float(share))
                )
    return Timing(
        _machine(), _versions(), load, size, rounds, tuple(facts), products,
        tuple(sorted(times, key=lambda row: [fact.model for fact in facts].index(row.model))), missing,
    )  # fmt: skip


def _prepare(folder: Path, name: str, options: Mapping, size: int, forms: set[str]) -> ModelFacts:
    """Make a model with fresh weights, and its files; what is true of it anywhere."""
    folder.mkdir()
    model = MODELS[name](**options)
    weights = folder / "plain.weights.h5"
    save_weights(weights, model, WeightsInfo(name, size, 0.5, "nothing", options))
    # Of a compiled model: what a plain `save_weights` of a trained model leaves on disk.
    model.compile(keras.optimizers.Adam())
    model.optimizer.build(model.trainable_variables)
    model.save_weights(folder / "full.weights.h5")
    noise = np.random.default_rng(0).random((2, size, size, 1), dtype=np.float32)
    sizes = {}
    for file in dict.fromkeys(FORMS[form][1] for form in FORMS if form in forms and FORMS[form][1]):
        sizes[file] = export_model(model, folder / file, noise, int8=file.startswith("int8")).bytes
    label = ", ".join([name, *(f"{key} {value:g}" for key, value in options.items() if key == "width")])
    return ModelFacts(
        label, model.count_params(), gflop_per_slice(model, size), weights.stat().st_size,
        (folder / "full.weights.h5").stat().st_size, sizes,
    )  # fmt: skip


def _in_own_process(
    folder: Path, names: list[str], size: int, threads: int, rounds: int, forms: list[str], show
) -> dict:
    job = {
        "folder": str(folder), "models": names, "size": size, "threads": threads, "rounds": rounds,
        "product_side": PRODUCT_SIDE, "forms": forms,
    }  # fmt: skip
    # NumPy's matrix product has threads of its own, which only its environment sets.
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"))
    environment = {**os.environ, **{name: str(threads) for name in limits}}
    command = [sys.executable, "-m", "covidlab.beyond.timed", json.dumps(job)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout:
            found = json.loads(line)
            if "round" not in found:
                return found
            show(found["round"])
    raise ExportError(f"{threads} threads", f"a measurement that ended with status {process.returncode}",
                      "times", "see what it printed above; fewer --models need less memory")  # fmt: skip


def _machine() -> str:
    cores = resolve_threads(["all"])[0]
    return f"{processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def _versions() -> str:
    found = []
    for package in VERSIONS:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
