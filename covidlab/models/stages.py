"""What a network is built of, read from itself: its stages and its arithmetic."""

from dataclasses import dataclass

from covidlab._tensorflow import keras, tf

layers = keras.layers


@dataclass(frozen=True)
class Stage:
    """One layer that changes what the slice looks like on its way through a network."""

    name: str  # Kind is a key of `COLOURS`
    kind: str
    channels: int  # Feature maps that leave it
    stride: int  # Pixels of the slice for each pixel of its maps, along one side
    inputs: tuple[str, ...]  # Names of the stages that it takes from; empty for the first


def stages_of(model: keras.Model) -> tuple[Stage, ...]:
    """What a slice passes on its way through a model: convolutions, pooling, transposed convolutions, joints.

    Parameters
    ----------
    model : keras.Model
        Functional, built of one-input layers and of concatenations and sums.

    Returns
    -------
    tuple of Stage, in the order of computation

    Examples
    --------
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
        kind = _kind(operation)
        if kind is None:  # activations, normalisation, padding: they pass on what they get
            source[id(operation.output)] = inputs[:1]
            continue
        stride, step = stages[inputs[0]].stride if inputs else 1, getattr(operation, "strides", (1,))[0]
        stride = stride // step if kind == "transposed convolution" else stride * step
        stages[operation.name] = Stage(operation.name, kind, operation.output.shape[-1], stride, inputs)
        source[id(operation.output)] = (operation.name,)
    return tuple(stages.values())


def _kind(operation) -> str | None:
    # The transposed convolution first: some versions of Keras derive it from the other.
    kinds = {
        layers.Conv2DTranspose: "transposed convolution",
        layers.Conv2D: "convolution",
        layers.MaxPooling2D: "max-pooling",
        layers.Concatenate: "concatenation",
        layers.Add: "sum",
    }
    return next((kind for layer, kind in kinds.items() if isinstance(operation, layer)), None)


def gflop_per_slice(model: keras.Model, size: int) -> float:
    """Arithmetic of one slice, in 10^9 operations: its convolutions, a multiply-add counted as two.

    Counted in the graph that TensorFlow runs, so padding to a multiple of 16 is in it. Biases, activations, pooling
    and normalisation are left out: together they are about a hundredth.

    Parameters
    ----------
    model : keras.Model
    size : int
        Pixels a side.

    Returns
    -------
    float

    Examples
    --------
    >>> from covidlab.models import light_unet
    >>> round(gflop_per_slice(light_unet(), 630), 2)
    9.45
    """
    slice_ = tf.TensorSpec((1, size, size, 1), tf.float32)
    graph = tf.function(lambda batch: model(batch, training=False)).get_concrete_function(slice_).graph
    # Where each kind's kernel is applied once a place: at each output of a convolution, each input of a transposed one.
    places = {
        "Conv2D": lambda operation: operation.outputs[0],
        "DepthwiseConv2dNative": lambda operation: operation.outputs[0],
        "Conv2DBackpropInput": lambda operation: operation.inputs[2],
    }
    total = 0
    for operation in graph.get_operations():
        if operation.type in places:
            _, height, width, _ = places[operation.type](operation).shape
            total += 2 * height * width * operation.inputs[1].shape.num_elements()
    return total / 1e9
