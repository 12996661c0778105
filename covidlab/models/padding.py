"""Layers that let a network of poolings take a slice of any size, and give an answer for each of its pixels."""

from covidlab._tensorflow import keras

ops = keras.ops


class PadToMultiple(keras.layers.Layer):
    """Pad the right and bottom edge with zeros, which are air, up to a multiple of `multiple` pixels."""

    def __init__(self, multiple: int, **options):
        super().__init__(**options)
        self.multiple = multiple

    def call(self, slices):
        shape = ops.shape(slices)
        return ops.pad(slices, [(0, 0), (0, -shape[1] % self.multiple), (0, -shape[2] % self.multiple), (0, 0)])

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


class CropLike(keras.layers.Layer):
    """Crop the first input to the height and width of the second: the inverse of `PadToMultiple`."""

    def call(self, inputs):
        padded, like = inputs
        shape = ops.shape(like)
        return padded[:, : shape[1], : shape[2], :]
