"""What fills a row of the hidden map that a depthwise convolution reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tvm.tirx.script import builder as T

from compile.schedules import pointwise
from compile.schedules.core import Core
from compile.schedules.maps import Image, Map
from compile.schedules.pointwise import Term, product
from compile.schedules.upsample import vertical_blend
from compile.schedules.vector import Clip, Expr, clipped, constant, load, store


@dataclass(frozen=True)
class Row:
    """Which part of the hidden map to write: `columns` of `row` from `first` on, to ring[at:]."""

    ring: Expr
    at: Expr
    row: Expr
    first: Expr
    columns: int

    def writer(self, core: Core, pitch: int, bounds: Clip) -> Callable[[Expr, Expr, Expr], None]:
        """Stores a vector of (pixel, channel), activated."""

        def write(p: Expr, c: Expr, value: Expr) -> None:
            active = clipped(value, bounds, core.lanes, core.dtype)
            store(self.ring, active, self.at + p * pitch + c, core.lanes)

        return write


class Producer(Protocol):
    """`channels` of the hidden map; `weights` unpacked; `bounds` of its activation."""

    weights: NDArray[np.float32]
    bounds: Clip

    @property
    def channels(self) -> int: ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the hidden map."""

    @property
    def inputs(self) -> tuple[Map | Image, ...]: ...

    def packed(self, core: Core) -> NDArray[np.float32]: ...

    def scratch(self, core: Core, columns: int) -> int:
        """Numbers that one thread needs beside the ring."""

    def emit(
        self, core: Core, inputs: list[Expr], weights: Expr, scratch: Expr, row: Row
    ) -> None: ...


@dataclass(frozen=True, eq=False)
class Expand:
    """A pointwise convolution of a map. weights (hidden, in), bias (hidden,)."""

    source: Map
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    bounds: Clip

    @property
    def channels(self) -> int:
        return len(self.bias)

    @property
    def size(self) -> tuple[int, int]:
        return self.source.height, self.source.width

    @property
    def inputs(self) -> tuple[Map, ...]:
        return (self.source,)

    def packed(self, core: Core) -> NDArray[np.float32]:
        return np.concatenate([padded(self.bias, core), pointwise.pack(self.weights, core)])

    def scratch(self, core: Core, columns: int) -> int:
        return 0

    def emit(self, core: Core, inputs: list[Expr], weights: Expr, scratch: Expr, row: Row) -> None:
        pitch, lanes = core.padded(self.channels), core.lanes
        base = T.Bind(self.source.at(core, row.row, row.first))
        inner = core.padded(self.source.channels)
        product(
            core,
            row.columns,
            self.channels,
            [
                Term(
                    self.source.channels,
                    lambda p, k: inputs[0][base + p * inner + k],
                    weights,
                    pitch,
                )
            ],
            start=lambda _first, _p, c: load(weights, c, lanes),
            finish=row.writer(core, pitch, self.bounds),
        )


@dataclass(frozen=True, eq=False)
class Stem:
    """The first 3x3 convolution, stride 2, padding 1, of the image.

    weights (hidden, 3, 3, 3) and bias (hidden,) for the image's own values; `pad` is the value
    that stands for the zero of the normalised border.
    """

    image: Image
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    bounds: Clip
    pad: float

    @property
    def channels(self) -> int:
        return len(self.bias)

    @property
    def size(self) -> tuple[int, int]:
        return self.image.height // 2, self.image.width // 2

    @property
    def inputs(self) -> tuple[Image, ...]:
        return (self.image,)

    def packed(self, core: Core) -> NDArray[np.float32]:
        taps = self.weights.transpose(0, 2, 3, 1).reshape(self.channels, -1)
        return np.concatenate([padded(self.bias, core), pointwise.pack(taps, core)])

    def scratch(self, core: Core, columns: int) -> int:
        return 3 * self._floats(columns)

    def _floats(self, columns: int) -> int:
        return (columns * 2 + 1) * self.image.channels

    def emit(self, core: Core, inputs: list[Expr], weights: Expr, scratch: Expr, row: Row) -> None:
        pitch, lanes, floats = core.padded(self.channels), core.lanes, self._floats(row.columns)
        across = 3 * self.image.channels
        with T.serial(0, 3) as dy:
            self.image.read_row(
                inputs[0],
                row.row * 2 - 1 + dy,
                row.first * 2 - 1,
                row.columns * 2 + 1,
                scratch,
                T.Bind(dy * floats),
                self.pad,
            )

        def tap(p: Expr, k: Expr) -> Expr:
            line, inside = T.floordiv(k, across), T.floormod(k, across)
            return scratch[line * floats + p * 2 * self.image.channels + inside]

        product(
            core,
            row.columns,
            self.channels,
            [Term(3 * across, tap, weights, pitch)],
            start=lambda _first, _p, c: load(weights, c, lanes),
            finish=row.writer(core, pitch, self.bounds),
        )


@dataclass(frozen=True, eq=False)
class Join:
    """Upsampled x2 plus a pointwise convolution of the skip map or of the image.

    The upsampled map has `channels` channels and carries the bias already. weights (hidden, in).
    """

    low: Map
    skip: Map | Image
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    bounds: Clip

    @property
    def channels(self) -> int:
        return self.low.channels

    @property
    def size(self) -> tuple[int, int]:
        return self.low.height * 2, self.low.width * 2

    @property
    def inputs(self) -> tuple[Map | Image, ...]:
        return (self.low, self.skip)

    def packed(self, core: Core) -> NDArray[np.float32]:
        return np.concatenate([padded(self.bias, core), pointwise.pack(self.weights, core)])

    def scratch(self, core: Core, columns: int) -> int:
        image = columns * self.skip.channels if isinstance(self.skip, Image) else 0
        return (columns // 2 + 1) * core.padded(self.channels) + image

    def emit(self, core: Core, inputs: list[Expr], weights: Expr, scratch: Expr, row: Row) -> None:
        pitch, lanes = core.padded(self.channels), core.lanes
        low = row.columns // 2 + 1
        vertical_blend(core, self.low, inputs[0], row.row, row.first, low, scratch)
        if isinstance(self.skip, Image):
            at = low * pitch
            self.skip.read_row(inputs[1], row.row, row.first, row.columns, scratch, at, pad=0.0)
            source, base, inner = scratch, at, self.skip.channels
        else:
            source, inner = inputs[1], core.padded(self.skip.channels)
            base = T.Bind(self.skip.at(core, row.row, row.first))

        # The strip begins at an odd column, so pixels 2n, 2n + 1 lie between low pixels n, n + 1.
        def start(first: Expr, p: int, c: Expr) -> Expr:
            at = (T.floordiv(first, 2) + p // 2) * pitch + c
            left, right = load(scratch, at, lanes), load(scratch, at + pitch, lanes)
            near = 0.25 if p % 2 else 0.75
            blended = left * constant(near, lanes, core.dtype)
            blended = blended + right * constant(1 - near, lanes, core.dtype)
            return blended + load(weights, c, lanes)

        product(
            core,
            row.columns,
            self.channels,
            [Term(self.skip.channels, lambda p, k: source[base + p * inner + k], weights, pitch)],
            start=start,
            finish=row.writer(core, pitch, self.bounds),
        )


def padded(values: NDArray[np.float32], core: Core) -> NDArray[np.float32]:
    """(C,) with zeros up to whole vectors."""
    return np.pad(values, (0, core.padded(len(values)) - len(values))).astype(np.float32)
