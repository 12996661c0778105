"""The one place that imports TensorFlow and Keras.

TensorFlow's C++ start-up lines go straight to file descriptor 2, before any environment variable
or logger can stop them, and would land in every notebook's stored output. So the descriptor points
elsewhere during the import, and only then: later warnings and errors still show.
"""

import os
import sys
import tempfile


def _import_quietly():
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            import keras
            import tensorflow

            # Looking for devices prints too, whenever it first happens; let it happen here.
            tensorflow.config.list_physical_devices()
        except BaseException:
            # A failed import must not lose its own explanation.
            os.dup2(kept, 2)
            sink.seek(0)
            sys.stderr.write(sink.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    return tensorflow, keras


tf, keras = _import_quietly()

# Each model has a graph of its own, which a session that builds several models traces one after the other. TensorFlow
# takes that for one function traced too often, and would say so in the middle of a notebook.
tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())
