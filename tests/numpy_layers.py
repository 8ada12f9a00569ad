"""What layers compute, written out in NumPy: the reference that networks from files are compared with.

Images are [B, rows, columns, channels] and kernels (rows, columns, channels, filters), as Keras 2 and 3 have them.
"""

import numpy as np


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid_of_keras_1(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def hard_sigmoid_of_keras_3(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def dense(x, kernel, bias):
    return x @ kernel + bias


def conv(x, kernel, bias, stride=1):
    """Without padding, one cell at a time."""
    rows, columns = kernel.shape[:2]
    high, wide = (x.shape[1] - rows) // stride + 1, (x.shape[2] - columns) // stride + 1
    result = np.zeros((len(x), high, wide, kernel.shape[3]))
    for i in range(high):
        for j in range(wide):
            patch = x[:, i * stride : i * stride + rows, j * stride : j * stride + columns]
            result[:, i, j] = np.einsum("brck,rckf->bf", patch, kernel) + bias
    return result


def pad(x, above, below, left, right):
    return np.pad(x, ((0, 0), (above, below), (left, right), (0, 0)))


def average_pool(x, size):
    batch, rows, columns, channels = x.shape
    x = x[:, : rows // size * size, : columns // size * size]
    return x.reshape(batch, rows // size, size, columns // size, size, channels).mean(axis=(2, 4))


def batch_normalize(x, gamma, beta, mean, variance, epsilon):
    """Along the last axis, by the statistics of the training (Ioffe and Szegedy 2015)."""
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def layer_normalize(x, gamma, beta, epsilon):
    """Along the last axis (Ba et al. 2016)."""
    mean = x.mean(axis=-1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + epsilon) + beta


def leaky(x, slope):
    return np.where(x > 0, x, slope * x)


def lstm(x, gates, activation, inner):
    """The last output of an LSTM with forget gates (Gers et al. 2000) for [B, T, I].

    `gates` is a dict of (kernel [I, U], recurrent kernel [U, U], bias [U]) by the gate: i, f, c, o.
    """
    h = c = np.zeros((len(x), gates["i"][2].shape[0]))
    for x_t in x.transpose(1, 0, 2):
        z = {gate: x_t @ kernel + h @ recurrent + bias for gate, (kernel, recurrent, bias) in gates.items()}
        c = inner(z["f"]) * c + inner(z["i"]) * activation(z["c"])
        h = inner(z["o"]) * activation(c)
    return h


def each_step(layer, x, *arguments):
    """`layer` of every time step of [B, T, ...]."""
    return np.stack([layer(x_t, *arguments) for x_t in x.swapaxes(0, 1)], axis=1)
