"""What the process of one number of threads does: `python -m covidlab.beyond.timed JOB`, a line of JSON a round.

Not imported by the package: a process runs it, so that threads are those of a fresh one.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras, tf
from covidlab.beyond.exported import open_exported
from covidlab.beyond.timing import FORMS
from covidlab.models.segmenter import open_segmenter


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
                model = open_segmenter(Path(job["folder"]) / name / "plain.weights.h5").network
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


if __name__ == "__main__":
    print(json.dumps(_work(json.loads(sys.argv[1]))))
