"""The one place that imports TensorFlow and Keras.

TensorFlow's C++ start-up lines go straight to file descriptor 2, before any environment variable
or logger can stop them, and would land in every notebook's stored output. So the descriptor points
elsewhere during the import, and where `quiet` is asked for: all other warnings and errors still show.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from covidlab.errors import CovidlabError, require


@contextmanager
def quiet() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere; if the block fails, show it after all."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            # What failed must not lose its own explanation.
            os.dup2(kept, 2)
            sink.seek(0)
            sys.stderr.write(sink.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


# oneDNN's kernels, which TensorFlow takes by itself on some x86 processors only, train about twice as fast on the
# others, too. Whoever has set the variable is obeyed.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


# The user's own Keras settings, in the environment or in ~/.keras/keras.json, are of other work: networks of covidlab
# are built on TensorFlow, channels last, in float32. Keras reads the backend once, when it is first imported.
os.environ["KERAS_BACKEND"] = "tensorflow"


require("covidlab", "train", "tensorflow", "keras")

with quiet():
    import keras
    import tensorflow as tf

    if keras.config.backend() != "tensorflow":
        raise CovidlabError(
            "Keras", f"the backend {keras.config.backend()}, chosen before covidlab was imported", "TensorFlow",
            "start anew and import covidlab first, or set KERAS_BACKEND=tensorflow",
        )  # fmt: skip
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    # Looking for devices prints too, whenever it first happens; let it happen here.
    tf.config.list_physical_devices()

# Each model has a graph of its own, which a session that builds several models traces one after the other. TensorFlow
# takes that for one function traced too often, and would say so in the middle of a notebook.
tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())
