"""Convolutions as matrix products, for the compiled loop.

XLA's own convolution on a CPU takes 10 to 15 times as long as its arithmetic. One matrix product of patches computes
the same thing at the speed of the arithmetic (the `im2col` of Chellapilla, Puri and Simard, 2006). A person writes a
plain Keras model with plain `Conv2D`; the engine trains a clone made by `with_matmul_convolutions`.
"""

import keras
from keras import ops

from shared.arrays import Array
from shared.nn.copies import copy_weights

LARGE = 32  # rows and columns of a picture


@keras.saving.register_keras_serializable("shared")  # copies of a `TimeDistributed` look for it by name
class MatmulConv2D(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` that computes the same outputs from the same weights by one matrix product.

    float32 [B, H, W, C] becomes float32 [B, H', W', F]. It knows what `can_be_matmul` lets through.
    """

    def call(self, inputs: Array) -> Array:
        """The convolution, its bias and its activation."""
        rows, columns = self.kernel_size
        down, right = self.strides
        channels = inputs.shape[-1]
        top, bottom, height = _border(inputs.shape[1], rows, down, self.padding)
        left, beyond, width = _border(inputs.shape[2], columns, right, self.padding)
        padded = ops.pad(inputs, [(0, 0), (top, bottom), (left, beyond), (0, 0)])
        patches = [
            padded[:, i : i + down * (height - 1) + 1 : down, j : j + right * (width - 1) + 1 : right]
            for i in range(rows)
            for j in range(columns)
        ]  # rows * columns of [B, H', W', C]
        patches = ops.reshape(ops.concatenate(patches, axis=-1), (-1, rows * columns * channels))
        outputs = ops.matmul(patches, ops.reshape(self.kernel, (-1, self.filters)))  # [B * H' * W', F]
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(ops.reshape(outputs, (-1, height, width, self.filters)))


def with_matmul_convolutions(model: keras.Model) -> keras.Model:
    """`model` itself if it holds no `Conv2D`, else a clone of it whose `Conv2D` layers are `MatmulConv2D`.

    So are those inside a `TimeDistributed`. The clone has its own weights: equal values, in the same order, of the same
    shapes and names. Convolutions with groups, with dilation or with channels first stay as they are: right, and slow
    under XLA.

    Args:
        model: a Sequential or Functional Keras model, built.
    """
    if not any(can_be_matmul(_inner(layer)) for layer in _layers(model)):
        return model
    clone = keras.models.clone_model(model, clone_function=_clone_layer, recursive=True)
    copy_weights(model, clone)
    return clone


def better_in_a_plain_graph(model: keras.Model) -> bool:
    """Whether TensorFlow's own convolutions beat matrix products under XLA, in a program that is called from Python.

    So it is where pictures are large: an update of `breakout_dqn`'s network, 40 x 36 x 3 in batches of 256, takes 0.7
    of the processor's time. At 16 x 16 x 1 it takes 1.8 times as much.
    """
    shape = model.input_shape[1:]
    large = len(shape) > 1 and min(shape[:2]) >= LARGE
    return large and any(isinstance(_inner(layer), keras.layers.Conv2D) for layer in _layers(model))


def can_be_matmul(layer: keras.layers.Layer) -> bool:
    """Whether `MatmulConv2D` computes what `layer` computes."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.groups == 1
        and layer.dilation_rate == (1, 1)
        and layer.data_format == "channels_last"
    )


def _clone_layer(layer):
    if type(layer) is keras.layers.TimeDistributed and can_be_matmul(layer.layer):
        return keras.layers.TimeDistributed(_clone_layer(layer.layer), name=layer.name)
    new_class = MatmulConv2D if can_be_matmul(layer) else type(layer)
    return new_class.from_config(layer.get_config())


def _inner(layer):
    """What a `TimeDistributed` does at each step; any other layer itself."""
    return layer.layer if type(layer) is keras.layers.TimeDistributed else layer


def _layers(model):
    """All layers of a model, those of models inside it too."""
    for layer in model.layers:
        yield from _layers(layer) if isinstance(layer, keras.Model) else [layer]


def _border(size, kernel, stride, padding):
    """Cells to add before and after an axis of `size` cells, and how many outputs it then has."""
    if padding == "valid":
        return 0, 0, (size - kernel) // stride + 1
    outputs = -(-size // stride)
    missing = max((outputs - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2, outputs
