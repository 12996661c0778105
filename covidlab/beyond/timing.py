"""How long one slice takes on this processor, in each form that a model can be run in (paper, section III.C, Fig. 4).

All forms take turns, round after round, so that a processor that slows down or other work on the machine meets them
alike. Each turn begins with a call that is not counted, because the form before may have left its threads spinning.
Seconds differ from machine to machine; the time as a multiple of one large matrix product, measured in the same
rounds, differs far less. Each number of threads is measured in a process of its own: TensorFlow fixes its threads
when it starts. This module does not time training or whole scans (see `studies.rates`).
"""

import itertools
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras, tf
from covidlab.beyond.export import export_model
from covidlab.beyond.times import PRODUCT_SIDE, FormTime, ModelFacts, Spread, Timing, peak_gflops
from covidlab.errors import CovidlabError, missing_packages
from covidlab.models import MODELS
from covidlab.models.exported import FORMATS, Runner, open_exported
from covidlab.models.networks import save_weights
from covidlab.models.segmenter import open_segmenter
from covidlab.models.stages import gflop_per_slice
from covidlab.models.weights_file import WeightsInfo
from covidlab.progress import progress_bar
from covidlab.tables import processor

VERSIONS = ("tensorflow", "keras", "numpy", "onnxruntime", "openvino", "ai-edge-litert")


def _predict(model: keras.Model, threads: int) -> Runner:
    return lambda slice_: model.predict(slice_, verbose=0)


def _compiled_call(model: keras.Model, threads: int) -> Runner:
    @tf.function
    def call(batch):
        return model(batch, training=False)

    return lambda slice_: call(tf.constant(slice_)).numpy()


@dataclass(frozen=True)
class Form:
    """A way to run a model."""

    # Of the exported file, or of the Keras model where there is none, and threads. A function of a module: it is sent
    # to another process.
    open: Callable[[Path | keras.Model, int], Runner]
    file: str = ""
    needs: tuple[str, ...] = ()  # By import names


FORMS = {
    "predict": Form(_predict),
    "compiled call": Form(_compiled_call),
    "ONNX Runtime": Form(open_exported, "model.onnx", FORMATS[".onnx"].needs),
    "LiteRT": Form(open_exported, "model.tflite", FORMATS[".tflite"].needs),
    "LiteRT int8": Form(open_exported, "int8.tflite", FORMATS[".tflite"].needs),
}


def resolve_threads(words: Sequence[str]) -> list[int]:
    """Numbers of threads, "all" being the processors that this process may use; each once.

    `CovidlabError` if a word is neither a number above 0 nor "all".
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
    models: Mapping[str, Mapping], size: int, threads: Sequence[int], rounds: int = 10,
    forms: Sequence[str] = tuple(FORMS), known: Mapping[str, Form] = FORMS,
) -> Timing:  # fmt: skip
    """Time models in all wanted forms that are installed, at each number of threads.

    `models` are options by name in `covidlab.models.MODELS`; `size` is in pixels a side, 630 being the record's own;
    `forms` are names in `known`.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    absent = {form: " ".join(missing_packages(*known[form].needs)) for form in forms}
    missing = {form: f"not installed: pip install {packages}" for form, packages in absent.items() if packages}
    measured = {form: known[form] for form in forms if form not in missing}
    # Models to make, then a process a number of threads: rough, but it moves.
    total, facts, times, products = len(models) + len(threads) * rounds, {}, [], {}
    with tempfile.TemporaryDirectory() as folder, progress_bar("timing in other processes") as progress:
        for done, (name, options) in enumerate(models.items()):
            progress(done, total, f"making {name}")
            facts[name] = _prepare(Path(folder) / name, name, options, size, measured)
        for turn, number in enumerate(threads):
            answers = _from_own_process(number, rounds, size, Path(folder), list(models), measured, PRODUCT_SIDE)
            cold, found = next(answers), []
            for done, seconds in enumerate(answers, len(models) + turn * rounds + 1):
                found.append(seconds)
                progress(done, total, f"threads: {number}")
            by_key = {key: np.array([seconds[key] for seconds in found]) for key in found[0]}
            unit = by_key.pop("product")
            products[number] = Spread.of(unit)
            peak = peak_gflops(products[number])
            for (name, form), taken in by_key.items():
                fact = facts[name]
                multiple, share = float(np.median(taken / unit)), float(fact.gflop / np.median(taken) / peak)
                times.append(FormTime(fact.model, form, number, cold[name, form], Spread.of(taken), multiple, share))
    times.sort(key=lambda row: [fact.model for fact in facts.values()].index(row.model))
    machine = f"{processor()}, {resolve_threads(['all'])[0]} cores, {platform.system()}, "
    machine += f"Python {platform.python_version()}"
    return Timing(machine, _versions(), load, size, rounds, tuple(facts.values()), products, tuple(times), missing)


def _prepare(folder: Path, name: str, options: Mapping, size: int, forms: Mapping[str, Form]) -> ModelFacts:
    """Make a model with fresh weights, and its files; what is true of it anywhere."""
    folder.mkdir()
    model = MODELS[name](**options)
    weights = folder / "plain.weights.h5"
    save_weights(weights, model, WeightsInfo(name, size, 0.5, "nothing", options))
    noise = np.random.default_rng(0).random((2, size, size, 1), dtype=np.float32)
    sizes = {
        file: export_model(model, folder / file, noise, int8=file.startswith("int8")).bytes
        for file in dict.fromkeys(form.file for form in forms.values() if form.file)
    }
    label = f"{name}, width {options['width']:g}" if "width" in options else name
    return ModelFacts(label, model.count_params(), gflop_per_slice(model, size), weights.stat().st_size, sizes)


def _from_own_process(threads: int, rounds: int, *job) -> Iterator[dict]:
    """What `_measure` sends from a process with a number of threads: an answer before the first round, one a round."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, threads, rounds, *job), daemon=True)
    process.start()
    sender.close()  # ours; so a process that dies ends the wait
    try:
        for _ in range(1 + rounds):
            yield receiver.recv()
    except EOFError as error:
        process.join()
        found = f"a measurement that ended with status {process.exitcode}"
        remedy = "see what it printed above; fewer --models need less memory"
        raise CovidlabError(f"{threads} threads", found, "times", remedy) from error
    finally:
        process.terminate()
        process.join()


def _measure(
    sender: Connection, threads: int, rounds: int, size: int, folder: Path, models: list[str],
    forms: Mapping[str, Form], product_side: int,
) -> None:  # fmt: skip
    """What the process of one number of threads does.

    Sends the cold times by (model, form); then, a round at a time, these times, and that of the "product".
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.set_visible_devices([], "GPU")
    random = np.random.default_rng(0)
    slice_ = random.random((1, size, size, 1), dtype=np.float32)
    matrix = tf.constant(random.random((product_side, product_side), dtype=np.float32))

    def product() -> None:
        tf.linalg.matmul(matrix, matrix).numpy()

    product()
    calls, cold = {}, {}
    for name, (form, how) in itertools.product(models, forms.items()):
        subject = folder / name / (how.file or "plain.weights.h5")
        if not how.file:
            subject = open_segmenter(subject).network
        start = time.perf_counter()
        calls[name, form] = how.open(subject, threads)
        calls[name, form](slice_)
        cold[name, form] = time.perf_counter() - start
    sender.send(cold)
    order = list(calls)
    for round_ in range(rounds):
        seconds = {"product": _timed(product)}
        # Each round starts with another form, so that none always follows the same neighbour.
        first = round_ % len(order)
        for key in order[first:] + order[:first]:
            calls[key](slice_)
            seconds[key] = _timed(calls[key], slice_)
        sender.send(seconds)


def _timed(function: Callable, *arguments) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def _versions() -> str:
    found = []
    for package in VERSIONS:
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)
