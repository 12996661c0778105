"""Times as they were measured, and how they are told: in seconds, and as multiples of one large matrix product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from covidlab.tables import markdown

# The yardstick: one product of two float32 matrices of this side; a multiply-add counts as two operations.
PRODUCT_SIDE = 4096
PRODUCT_GFLOP = 2 * PRODUCT_SIDE**3 / 1e9


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of a measured time, in seconds."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Of the times of all rounds."""
        return cls(*np.percentile(seconds, (25, 50, 75)).tolist())

    def text(self, factor: float = 1, digits: int = 3) -> str:
        """Median and quartiles in a unit of which a second has `factor`."""
        low, median, high = (f"{factor * value:.{digits}f}" for value in (self.low, self.median, self.high))
        return f"{median} ({low}-{high})"


@dataclass(frozen=True)
class ModelFacts:
    """What is true of a model on any machine."""

    model: str  # With the width where it has one: "fcn8s, width 0.25"
    parameters: int
    gflop: float  # For one slice; see `gflop_per_slice`
    bytes: int  # Of its .weights.h5 file
    exported_bytes: Mapping[str, int]  # Of the ONNX and LiteRT files


@dataclass(frozen=True)
class FormTime:
    """What one form of one model took."""

    model: str
    form: str
    threads: int
    cold: float  # Seconds from the built model, or from the exported file, to the first answer
    seconds: Spread  # Of one slice after that, NumPy array in, NumPy array out
    multiple: float  # Median over the rounds of that time over the matrix product in the same round
    # Of the measured peak: the model's GFLOP in that time, over those of the matrix product. That is no ceiling: a
    # program that is better than the product has more than 1, as the patch CNN does, and so has one of 8 bits.
    share: float


@dataclass(frozen=True)
class Timing:
    """One run of `time_models`."""

    machine: str
    versions: str
    # Load average of the minute before; above 0.5 the seconds are not the machine's own, and multiples less so
    load: float
    size: int  # Pixels a side
    rounds: int
    models: tuple[ModelFacts, ...]
    products: Mapping[int, Spread]  # By threads: the matrix product, through TensorFlow
    times: tuple[FormTime, ...]
    missing: Mapping[str, str]  # Why a form was not measured

    def bars(self, threads: int) -> dict[str, dict[str, tuple[float, float, float]]]:
        """The times at one number of threads, for `covidlab.plots.scores.time_figure`."""
        found: dict[str, dict[str, tuple[float, float, float]]] = {}
        for row in self.times:
            if row.threads == threads:
                found.setdefault(row.model, {})[row.form] = row.seconds.low, row.seconds.median, row.seconds.high
        return found

    @property
    def setting(self) -> str:
        """What the times are to be read with: how they were taken, the machine's yardstick, the models' sizes."""
        heads = {"model.onnx": "ONNX", "model.tflite": "LiteRT", "int8.tflite": "LiteRT int8"}
        products = [
            {"threads": threads, f"{PRODUCT_SIDE} x {PRODUCT_SIDE} product, s": product.text(),
             "peak, GFLOP/s": f"{peak_gflops(product):.0f}"}
            for threads, product in self.products.items()
        ]  # fmt: skip
        sizes = [
            {"model": model.model, "parameters": f"{model.parameters:,}", "GFLOP": f"{model.gflop:.2f}",
             "weights, MB": f"{model.bytes / 1e6:.2f}",
             **{f"{heads[name]}, MB": f"{size / 1e6:.2f}" for name, size in model.exported_bytes.items()}}
            for model in self.models
        ]  # fmt: skip
        return "\n\n".join([
            f"One slice of {self.size} x {self.size}, fresh weights (time does not depend on them); NumPy array in, "
            f"NumPy array out; median and quartiles of {self.rounds} interleaved rounds. Load {self.load:.1f} at the "
            f"start; {self.machine}; {self.versions}.",
            markdown(products), markdown(sizes),
            *(f"Not measured: {form} ({why})." for form, why in self.missing.items()),
        ])  # fmt: skip

    def time_rows(self) -> list[dict[str, str]]:
        """A line for each model, form and number of threads."""
        return [
            {
                "model": row.model, "form": row.form, "threads": str(row.threads), "cold, s": f"{row.cold:.2f}",
                "warm, ms": row.seconds.text(1e3, 1), "x product": f"{row.multiple:.3f}",
                "share of float32 peak": f"{row.share:.0%}",
            }
            for row in self.times
        ]  # fmt: skip


def peak_gflops(product: Spread) -> float:
    """What the machine reaches: operations a second of the matrix product, in units of 10^9."""
    return PRODUCT_GFLOP / product.median
