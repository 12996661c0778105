"""How much of a slice one place of a feature map sees, layer by layer, read from the network itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from covidlab._tensorflow import keras

layers = keras.layers


@dataclass(frozen=True)
class Reach:
    """What one place of a layer's output sees."""

    layer: str
    kernel: int  # Pixels a side of the layer's own window, and how far it moves; both on the map that the layer takes
    step: int
    field: int  # Pixels a side of the slice that can change one place of its output: the receptive field
    stride: int  # Pixels of the slice between one place and the next


def reach_after(windows: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Receptive field and stride after layers in a row.

    Parameters
    ----------
    windows : sequence of (kernel, step)
        Of each convolution or pooling, from the slice on.

    Returns
    -------
    (field, stride) : int
        In pixels of the slice.

    Examples
    --------
    Two convolutions of 3 x 3 see 5 pixels. After a pooling, the next sees 4 more at once, not 2.

    >>> reach_after([(3, 1), (3, 1)])
    (5, 1)
    >>> reach_after([(3, 1), (3, 1), (2, 2), (3, 1)])
    (10, 2)
    """
    field, stride = 1, 1
    for kernel, step in windows:
        field += (kernel - 1) * stride
        stride *= step
    return field, stride


def reaches(model: keras.Model, last: str) -> tuple[Reach, ...]:
    """Receptive field and stride of each convolution and pooling on the way from the slice to a layer.

    Parameters
    ----------
    model : keras.Model
        Functional.
    last : str
        Name of the layer to end at. On the way to it there must be no joint and no transposed convolution.

    Returns
    -------
    tuple of Reach, in the order of computation

    Raises
    ------
    ValueError
        If the model has no such layer, or two ways lead to it, or one that grows.

    Examples
    --------
    >>> from covidlab.models.patch_cnn import patch_cnn
    >>> reaches(patch_cnn(), "probability")[-1].field
    11
    """
    found, windows = [], []
    for layer in _way_to(model, last):
        if isinstance(layer, layers.Conv2DTranspose):
            raise ValueError(f"{layer.name} makes its map larger; end before it")
        if isinstance(layer, layers.Conv2D | layers.MaxPooling2D):
            kernel = layer.kernel_size if isinstance(layer, layers.Conv2D) else layer.pool_size
            windows.append((kernel[0], layer.strides[0]))
            found.append(Reach(layer.name, *windows[-1], *reach_after(windows)))
    return tuple(found)


def _way_to(model: keras.Model, last: str) -> list:
    """The layers from the slice to the one of that name, each with a single input."""
    maker = {id(operation.output): operation for operation in model.operations}
    way, layer = [], model.get_layer(last)
    while not isinstance(layer, layers.InputLayer):
        if isinstance(layer.input, list):
            raise ValueError(f"several ways lead to {layer.name}; end before it")
        way.append(layer)
        layer = maker[id(layer.input)]
    return way[::-1]
