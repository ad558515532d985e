"""The schedules' operators in numpy, written for being obviously right."""

import numpy as np
from numpy.typing import NDArray

from compile.schedules.bottleneck import Bottleneck
from compile.schedules.producers import Expand, Join, Producer, Stem
from compile.schedules.vector import Clip

Array = NDArray[np.float64]


def clip(values: Array, bounds: Clip) -> Array:
    """The activation."""
    low, high = bounds
    return np.clip(values, -np.inf if low is None else low, np.inf if high is None else high)


def pointwise(x: Array, weights: Array, bias: Array | float = 0.0) -> Array:
    """x (C, H, W), weights (out, C)."""
    return np.einsum("oc,chw->ohw", weights, x) + np.reshape(bias, (-1, 1, 1))


def convolve(x: Array, weights: Array, bias: Array, stride: int, pad: float) -> Array:
    """3x3, padding 1; weights (out, in, 3, 3), or (C, 1, 3, 3) for a depthwise one."""
    channels, height, width = x.shape
    padded = np.full((channels, height + 2, width + 2), pad)
    padded[:, 1:-1, 1:-1] = x
    out = np.zeros((len(weights), -(-height // stride), -(-width // stride)))
    for dy in range(3):
        for dx in range(3):
            tap = padded[:, dy : dy + height : stride, dx : dx + width : stride]
            w = weights[:, :, dy, dx]
            out += w[:, 0, None, None] * tap if w.shape[1] == 1 else pointwise(tap, w)
    return out + bias[:, None, None]


def double(x: Array) -> Array:
    """x2 bilinear upsampling with half-pixel centres."""

    def along(values: Array, axis: int) -> Array:
        values = np.moveaxis(values, axis, -1)
        before = np.concatenate([values[..., :1], values[..., :-1]], axis=-1)
        after = np.concatenate([values[..., 1:], values[..., -1:]], axis=-1)
        pairs = np.stack([0.25 * before + 0.75 * values, 0.75 * values + 0.25 * after], axis=-1)
        return np.moveaxis(pairs.reshape(*values.shape[:-1], -1), -1, axis)

    return along(along(x, 1), 2)


def hidden(producer: Producer, inputs: list[Array]) -> Array:
    """The hidden map; inputs (C, H, W)."""
    if isinstance(producer, Stem):
        values = convolve(inputs[0], producer.weights, producer.bias, 2, producer.pad)
    elif isinstance(producer, Join):
        values = double(inputs[0]) + pointwise(inputs[1], producer.weights, producer.bias)
    else:
        assert isinstance(producer, Expand)
        values = pointwise(inputs[0], producer.weights, producer.bias)
    return clip(values, producer.bounds)


def bottleneck(one: Bottleneck, inputs: list[Array]) -> Array:
    """The output (C, H, W)."""
    inner = convolve(
        hidden(one.producer, inputs), one.depthwise, one.depthwise_bias, one.stride, pad=0.0
    )
    out = pointwise(clip(inner, one.bounds), one.project, one.project_bias)
    if one.residual is not None:
        out += inputs[-1] if one.shortcut is None else pointwise(inputs[-1], one.shortcut)
    return 1 / (1 + np.exp(-out)) if one.final else out
