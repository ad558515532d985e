"""Pointwise convolution as a register-blocked matrix product with packed weights."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tvm.tirx.script import builder as T

from compile.schedules.core import Core
from compile.schedules.vector import Expr, blocks, load, store


def pack(weights: NDArray[np.float32], core: Core, depth: int | None = None) -> NDArray[np.float32]:
    """(out, in) -> flat [block][in][vectors x lanes], zeros in the padding.

    Args:
        weights: of a 1x1 convolution, or of any whose taps have been flattened into `in`.
        depth: rows of `in` in the packed form, at least the weights' own.
    """
    out, inner = weights.shape
    depth = inner if depth is None else depth
    wide = core.block(core.vectors(out))[1] * core.lanes
    padded = np.zeros((core.padded(out), depth), np.float32)
    padded[:out, :inner] = weights
    return np.ascontiguousarray(padded.reshape(-1, wide, depth).transpose(0, 2, 1)).ravel()


@dataclass(frozen=True)
class Term:
    """One product to add: `pixel(p, k)` is the scalar k of a pixel; packed weights at `offset`."""

    depth: int
    pixel: Callable[[Expr, Expr], Expr]
    weights: Expr
    offset: int


def product(
    core: Core,
    pixels: int,
    channels: int,
    terms: list[Term],
    start: Callable[[Expr, int, Expr], Expr],
    finish: Callable[[Expr, Expr, Expr], None],
) -> None:
    """Emits finish(pixel, channel, start + sum of the terms) for all pixels and output vectors.

    Args:
        channels: of the output, unpadded.
        start: (even pixel, number after it, channel) -> the vector to begin with, as the bias.
        finish: (pixel, channel, value) stores one vector.
    """
    lanes = core.lanes
    vectors = core.vectors(channels)
    high, wide = core.block(vectors)
    high = min(high, pixels)
    count = vectors // wide
    bytes_of_weights = sum(term.depth for term in terms) * vectors * lanes * core.item_bytes

    def block(first: Expr, group: Expr) -> None:
        sums = T.alloc_buffer((high * wide * lanes,), core.dtype, scope="local")
        for p in range(high):
            for v in range(wide):
                value = start(first, p, (group * wide + v) * lanes)
                store(sums, value, (p * wide + v) * lanes, lanes)
        for term in terms:
            with T.serial(0, term.depth) as k:
                row = T.Bind(term.offset + (group * term.depth + k) * (wide * lanes))
                weights = [T.Bind(load(term.weights, row + v * lanes, lanes)) for v in range(wide)]
                for p in range(high):
                    x = T.Bind(T.Broadcast(term.pixel(first + p, k), lanes))
                    for v in range(wide):
                        at = (p * wide + v) * lanes
                        store(sums, load(sums, at, lanes) + x * weights[v], at, lanes)
        for p in range(high):
            for v in range(wide):
                at = (p * wide + v) * lanes
                finish(first + p, (group * wide + v) * lanes, load(sums, at, lanes))

    # Weights that crowd the first-level cache are read once a row, not once a pixel block.
    if bytes_of_weights > core.l1_bytes // 2:
        with T.serial(0, count) as group, blocks(pixels, high) as first:
            block(first, group)
    else:
        with blocks(pixels, high) as first, T.serial(0, count) as group:
            block(first, group)
