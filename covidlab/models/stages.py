"""What is read from a network itself: its stages, how much of a slice a place of it sees, its arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

from covidlab._tensorflow import keras, tf

layers = keras.layers

# The transposed convolution first: some versions of Keras derive it from the other.
KINDS = {
    layers.Conv2DTranspose: "transposed convolution",
    layers.Conv2D: "convolution",
    layers.MaxPooling2D: "max-pooling",
    layers.Concatenate: "concatenation",
    layers.Add: "sum",
}


@dataclass(frozen=True)
class Stage:
    """One layer that changes what the slice looks like on its way through a network."""

    name: str
    kind: str  # One of `KINDS`
    channels: int  # Feature maps that leave it
    stride: int  # Pixels of the slice for each pixel of its maps, along one side
    inputs: tuple[str, ...]  # Names of the stages that it takes from; empty for the first


def stages_of(model: keras.Model) -> tuple[Stage, ...]:
    """What a slice passes on its way through a functional model of one-input layers, concatenations and sums, in the
    order of computation.

    >>> from covidlab.models import light_unet
    >>> [stage.stride for stage in stages_of(light_unet(widths=(2, 3))) if stage.kind == "max-pooling"]
    [2]
    """
    stages: dict[str, Stage] = {}
    source: dict[int, tuple[str, ...]] = {id(tensor): () for tensor in model.inputs}
    for operation in model.operations:
        if isinstance(operation, layers.InputLayer):
            continue
        given = operation.input if isinstance(operation.input, list) else [operation.input]
        inputs = tuple(dict.fromkeys(name for tensor in given for name in source[id(tensor)]))
        kind = next((kind for layer, kind in KINDS.items() if isinstance(operation, layer)), None)
        if kind is None:  # activations, normalisation, padding: they pass on what they get
            source[id(operation.output)] = inputs[:1]
            continue
        stride, step = stages[inputs[0]].stride if inputs else 1, getattr(operation, "strides", (1,))[0]
        stride = stride // step if kind == "transposed convolution" else stride * step
        stages[operation.name] = Stage(operation.name, kind, operation.output.shape[-1], stride, inputs)
        source[id(operation.output)] = (operation.name,)
    return tuple(stages.values())


@dataclass(frozen=True)
class Reach:
    """What one place of a layer's output sees."""

    layer: str
    field: int  # Pixels a side of the slice that can change one place of its output: the receptive field
    stride: int  # Pixels of the slice between one place and the next


def reach_after(windows: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Receptive field and stride, in pixels of the slice, after convolutions and poolings of (kernel, step) in a row.

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
    """The reach of each convolution and pooling of a functional model, on the way from the slice to the one named last.

    `ValueError` if the model has none of that name, or two ways lead to it, or one that grows.

    >>> from covidlab.models.cnn import patch_cnn
    >>> reaches(patch_cnn(), "probability")[-1].field
    11
    """
    stages = {stage.name: stage for stage in stages_of(model)}
    if last not in stages:
        raise ValueError(f"no convolution or pooling {last}")
    way = [stages[last]]
    while way[0].inputs:
        if len(way[0].inputs) > 1:
            raise ValueError(f"several ways lead to {way[0].name}; end before it")
        way.insert(0, stages[way[0].inputs[0]])
    found, windows = [], []
    for stage in way:
        layer = model.get_layer(stage.name)
        if stage.kind == "transposed convolution":
            raise ValueError(f"{stage.name} makes its map larger; end before it")
        kernel = layer.kernel_size if stage.kind == "convolution" else layer.pool_size
        windows.append((kernel[0], layer.strides[0]))
        found.append(Reach(stage.name, *reach_after(windows)))
    return tuple(found)


def gflop_per_slice(model: keras.Model, size: int) -> float:
    """Arithmetic of one slice of `size` pixels a side, in 10^9 operations: a multiply-add of a convolution is two.

    Counted in the graph that TensorFlow runs, so padding to a multiple of 16 is in it. Biases, activations, pooling
    and normalisation are left out: together they are about a hundredth.

    >>> from covidlab.models import light_unet
    >>> round(gflop_per_slice(light_unet(), 630), 2)
    9.45
    """
    slice_ = tf.TensorSpec((1, size, size, 1), tf.float32)
    graph = tf.function(lambda batch: model(batch, training=False)).get_concrete_function(slice_).graph
    total = 0
    for operation in graph.get_operations():
        if operation.type in ("Conv2D", "Conv2DBackpropInput"):
            # The kernel is applied at each output of a convolution, at each input of a transposed one.
            place = operation.outputs[0] if operation.type == "Conv2D" else operation.inputs[2]
            total += 2 * place.shape[1] * place.shape[2] * operation.inputs[1].shape.num_elements()
    return total / 1e9
