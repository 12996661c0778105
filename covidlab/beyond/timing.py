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
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras, tf
from covidlab.beyond.export import ExportError, export_model, install, missing_packages, open_exported
from covidlab.errors import CovidlabError
from covidlab.models.builders import MODELS
from covidlab.models.stages import gflop_per_slice
from covidlab.models.weights_file import WeightsInfo, load_model, save_weights
from covidlab.progress import Progress, silent
from covidlab.tables import markdown, processor

# The yardstick: one product of two float32 matrices of this side; a multiply-add counts as two operations.
PRODUCT_SIDE = 4096

PRODUCT_GFLOP = 2 * PRODUCT_SIDE**3 / 1e9

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


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of a measured time, in seconds."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Of the times of all rounds."""
        return cls(*(float(value) for value in np.percentile(seconds, (25, 50, 75))))


@dataclass(frozen=True)
class ModelFacts:
    """What is true of a model on any machine.

    Parameters
    ----------
    model : str
        With the width where it has one: "fcn8s, width 0.25".
    parameters : int
    gflop : float
        For one slice; see `gflop_per_slice`.
    bytes, bytes_with_optimiser : int
        Of its .weights.h5 file: as shipped, and as a checkpoint of a compiled model with Adam.
    exported_bytes : mapping of file name -> int
        Of the ONNX and LiteRT files.
    """

    model: str
    parameters: int
    gflop: float
    bytes: int
    bytes_with_optimiser: int
    exported_bytes: Mapping[str, int]


@dataclass(frozen=True)
class FormTime:
    """What one form of one model took.

    Parameters
    ----------
    model, form : str
    threads : int
    cold : float
        Seconds from the built model, or from the exported file, to the first answer.
    seconds : Spread
        Of one slice after that, NumPy array in, NumPy array out.
    multiple : float
        Median over the rounds of that time over TensorFlow's matrix product in the same round.
    share : float
        Of the peak: the model's GFLOP in that time, over those of the faster of the two matrix products.
    """

    model: str
    form: str
    threads: int
    cold: float
    seconds: Spread
    multiple: float
    share: float


@dataclass(frozen=True)
class Timing:
    """One run of `time_models`.

    Parameters
    ----------
    machine, versions : str
    load : float
        Load average of the minute before; above 0.5 the seconds are not the machine's own, and multiples less so.
    size : int
        Pixels a side.
    rounds : int
    models : tuple of ModelFacts
    products : mapping of threads -> library -> Spread
        The matrix product through TensorFlow and through NumPy.
    times : tuple of FormTime
    missing : mapping of form -> str
        Why a form was not measured.
    """

    machine: str
    versions: str
    load: float
    size: int
    rounds: int
    models: tuple[ModelFacts, ...]
    products: Mapping[int, Mapping[str, Spread]]
    times: tuple[FormTime, ...]
    missing: Mapping[str, str]

    def as_json(self) -> str:
        """For programs."""
        return json.dumps(asdict(self), indent=2)

    def bars(self, threads: int) -> dict[str, dict[str, tuple[float, float, float]]]:
        """The times at one number of threads, for `covidlab.plots.scores.time_figure`."""
        found: dict[str, dict[str, tuple[float, float, float]]] = {}
        for row in self.times:
            if row.threads == threads:
                spread = row.seconds
                found.setdefault(row.model, {})[row.form] = (spread.low, spread.median, spread.high)
        return found

    def as_markdown(self) -> str:
        """Tables for people: the machine's yardstick, the times, the sizes."""
        return "\n\n".join([self.setting, markdown(self.time_rows())])

    @property
    def setting(self) -> str:
        """What the times are to be read with: how they were taken, the machine's yardstick, the models' sizes."""
        parts = [
            f"One slice of {self.size} x {self.size}, fresh weights (time does not depend on them); NumPy array in, "
            f"NumPy array out; median and quartiles of {self.rounds} interleaved rounds. Load {self.load:.1f} at the "
            f"start; {self.machine}; {self.versions}.",
            markdown(self._product_rows()),
            markdown(self._size_rows()),
        ]
        return "\n\n".join(parts + [f"Not measured: {form} ({why})." for form, why in self.missing.items()])

    def time_rows(self) -> list[dict[str, str]]:
        """A line for each model, form and number of threads."""
        return [
            {
                "model": row.model, "form": row.form, "threads": str(row.threads), "cold, s": f"{row.cold:.2f}",
                "warm, ms": _milliseconds(row.seconds), "x product": f"{row.multiple:.3f}",
                "share of float32 peak": f"{row.share:.0%}",
            }
            for row in self.times
        ]  # fmt: skip

    def _product_rows(self) -> list[dict[str, str]]:
        side = f"{PRODUCT_SIDE} x {PRODUCT_SIDE} product"
        return [
            {
                "threads": str(threads),
                **{f"{side}, {library}, s": _seconds(spread) for library, spread in products.items()},
                "peak, GFLOP/s": f"{peak_gflops(products):.0f}",
            }
            for threads, products in self.products.items()
        ]

    def _size_rows(self) -> list[dict[str, str]]:
        files = dict.fromkeys(name for model in self.models for name in model.exported_bytes)
        heads = {"model.onnx": "ONNX", "model.tflite": "LiteRT", "int8.tflite": "LiteRT int8"}
        return [
            {
                "model": model.model, "parameters": f"{model.parameters:,}", "GFLOP": f"{model.gflop:.2f}",
                "weights, MB": f"{model.bytes / 1e6:.2f}",
                "with optimiser, MB": f"{model.bytes_with_optimiser / 1e6:.2f}",
                **{f"{heads[name]}, MB": f"{model.exported_bytes[name] / 1e6:.2f}" for name in files},
            }
            for model in self.models
        ]  # fmt: skip


def _seconds(spread: Spread) -> str:
    return f"{spread.median:.3f} ({spread.low:.3f}-{spread.high:.3f})"


def _milliseconds(spread: Spread) -> str:
    return f"{spread.median * 1e3:.1f} ({spread.low * 1e3:.1f}-{spread.high * 1e3:.1f})"


def peak_gflops(products: Mapping[str, Spread]) -> float:
    """What the machine reaches: operations a second of the faster product, in units of 10^9."""
    return PRODUCT_GFLOP / min(spread.median for spread in products.values())


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
    progress: Progress = silent,
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
    progress : callable (done, total, text)
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
    with tempfile.TemporaryDirectory() as folder:
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
    progress(total, total, "done")
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
    command = [sys.executable, "-m", "covidlab.beyond.timing", json.dumps(job)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout:
            found = json.loads(line)
            if "round" not in found:
                return found
            show(found["round"])
    raise ExportError(f"{threads} threads", f"a measurement that ended with status {process.returncode}",
                      "times", "see what it printed above; fewer --models need less memory")  # fmt: skip


def _work(job: Mapping) -> dict:
    """What the process of one number of threads does. Prints a line a round."""
    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(job["threads"])
    tf.config.set_visible_devices([], "GPU")
    random = np.random.default_rng(0)
    slice_ = random.random((1, job["size"], job["size"], 1), dtype=np.float32)
    matrix = random.random((job["product_side"],) * 2, dtype=np.float32)
    tensor = tf.constant(matrix)
    products = {"TensorFlow": lambda: tf.linalg.matmul(tensor, tensor).numpy(), "NumPy": lambda: matrix @ matrix}
    for product in products.values():
        product()
    calls, cold = {}, {}
    for name in job["models"]:
        for form in job["forms"]:
            start = time.perf_counter()
            if FORMS[form][1]:
                file = Path(job["folder"]) / name / FORMS[form][1]
                calls[name, form] = open_exported(file, job["threads"], form.lower())
            else:
                model, _ = load_model(Path(job["folder"]) / name / "plain.weights.h5")
                start = time.perf_counter()
                calls[name, form] = _keras_call(model, form)
            calls[name, form](slice_)
            cold[name, form] = time.perf_counter() - start

    seconds = {key: [] for key in calls}
    product_seconds = {library: [] for library in products}
    for round_ in range(job["rounds"]):
        for library, product in products.items():
            product_seconds[library].append(_timed(product))
        # Each round starts with another form, so that none always follows the same neighbour.
        order = list(calls)
        first = round_ % len(order)
        for key in order[first:] + order[:first]:
            calls[key](slice_)
            seconds[key].append(_timed(lambda key=key: calls[key](slice_)))
        print(json.dumps({"round": round_ + 1}), flush=True)
    forms = [
        {"model": name, "form": form, "cold": cold[name, form], "seconds": values}
        for (name, form), values in seconds.items()
    ]
    return {"products": product_seconds, "forms": forms}


def _keras_call(model: keras.Model, form: str) -> Callable[[np.ndarray], np.ndarray]:
    if form == "predict":
        return lambda slice_: model.predict(slice_, verbose=0)

    @tf.function
    def call(batch):
        return model(batch, training=False)

    return lambda slice_: call(tf.constant(slice_)).numpy()


def _timed(function: Callable) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


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

if __name__ == "__main__":
    print(json.dumps(_work(json.loads(sys.argv[1]))))
