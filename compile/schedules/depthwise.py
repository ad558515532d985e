"""Depthwise 3x3 convolution of a few pixels out of three rolling rows."""

import numpy as np
from numpy.typing import NDArray
from tvm.tirx.script import builder as T

from compile.schedules.core import Core
from compile.schedules.vector import Clip, Expr, blocks, clipped, load, store


def pack(
    weights: NDArray[np.float32], bias: NDArray[np.float32], core: Core
) -> NDArray[np.float32]:
    """(C, 1, 3, 3) and (C,) -> flat [9 taps and the bias][padded C]."""
    channels = len(bias)
    packed = np.zeros((10, core.padded(channels)), np.float32)
    packed[:9, :channels] = weights.reshape(channels, 9).T
    packed[9, :channels] = bias
    return packed.ravel()


def depthwise(
    core: Core,
    pixels: int,
    channels: int,
    stride: int,
    ring: Expr,
    rows: list[Expr],
    first: Expr,
    weights: Expr,
    offset: int,
    bounds: Clip,
    tile: Expr,
) -> None:
    """Emits tile[p][c] = clip(bias + sum of nine taps) for `pixels` outputs from column `first`.

    Args:
        channels: padded; the pixel pitch of `ring` and `tile`.
        rows: where in `ring` the rows above, at and below begin.
        first: the output column; its taps are ring columns stride * first and the two after.
        weights: `pack`ed, from `offset` on.
    """
    lanes = core.lanes
    high = min(6 if core.registers >= 32 else 4, pixels)
    with blocks(pixels, high) as begin, T.serial(0, channels // lanes) as vector:
        c = vector * lanes
        bias = load(weights, offset + 9 * channels + c, lanes)
        sums = [bias] * high
        for tap in range(9):
            dy, dx = divmod(tap, 3)
            w = T.Bind(load(weights, offset + tap * channels + c, lanes))
            for p in range(high):
                column = (first + begin + p) * stride + dx
                x = load(ring, rows[dy] + column * channels + c, lanes)
                sums[p] = T.Bind(sums[p] + x * w)
        for p in range(high):
            store(
                tile, clipped(sums[p], bounds, lanes, core.dtype), (begin + p) * channels + c, lanes
            )
