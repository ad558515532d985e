"""The depth-first bottleneck with products of 8-bit integers, for networks of ReLU6.

Inputs and outputs stay float32 maps, so that it stands among float bottlenecks. Each input pixel is
scaled by its own largest value; the hidden map and the depthwise output lie between 0 and 6, which
gives their scale without any calibration. Weights have a scale for each output channel. Sums are of
32 bits: two products of 8 bits fit 16 (ARMv8.0's smull, smlal), pairs of these are added to 32.
Source of the arithmetic: Jacob et al. 2018, section 2.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from tvm import tirx
from tvm.tirx.script import builder as T

from compile.schedules.bottleneck import RING_ROWS, Bottleneck
from compile.schedules.core import Core
from compile.schedules.producers import Expand
from compile.schedules.vector import Expr, blocks, constant, load, store

RELU6 = (0.0, 6.0)
LEVELS = 255 / 6  # of the hidden map; its zero is -128
_STEP = 16  # inputs of one turn
_LANES = 4  # 32-bit sums in a vector
_Row = tuple[Expr, Expr, int]  # int8 of some columns, the step of each, how many


def covers(one: Bottleneck) -> bool:
    """Whether it may be computed by integers."""
    producer = one.producer
    return (
        isinstance(producer, Expand)
        and producer.source.channels % (2 * _LANES) == 0
        and producer.channels % _STEP == 0
        and (producer.bounds, one.bounds) == (RELU6, RELU6)
        and one.shortcut is None
        and not one.final
    )


@dataclass(frozen=True, eq=False)
class IntegerBottleneck(Bottleneck):
    """A bottleneck that `covers` takes, on a core of float32 maps with vectors of four."""

    @classmethod
    def of(cls, one: Bottleneck) -> "IntegerBottleneck":
        """The same function, computed by integers."""
        return cls(**{field.name: getattr(one, field.name) for field in fields(one)})

    @property
    def _depth(self) -> int:
        """Of the input in whole turns."""
        return -(-self.producer.source.channels // _STEP) * _STEP

    def ring_pitch(self, core: Core) -> int:
        """Bytes of a column of the rolling rows."""
        return self.producer.channels

    def weights_dtype(self, core: Core) -> str:
        """Of the packed constant."""
        return "int8"

    def _parts(self, core: Core) -> list[NDArray[np.int8]]:
        """Scales and biases as bytes, then the weights of the three convolutions."""
        hidden, wide = self.producer.channels, core.padded(self.output.channels)
        missing = self._depth - self.producer.source.channels
        # Zeros meet whatever lies behind a pixel's channels.
        expand, expand_scale = _quantised(np.pad(self.producer.weights, [(0, 0), (0, missing)]))
        taps, taps_scale = _quantised(self.depthwise.reshape(hidden, 9))
        padded = np.zeros((wide, hidden), np.float32)
        padded[: self.output.channels] = self.project
        project, project_scale = _quantised(padded)
        bias = np.zeros(wide, np.float32)
        bias[: self.output.channels] = self.project_bias
        # What the zero at -128 adds to a sum goes into the bias, as 128 times the weights.
        below = [128 * one.astype(np.float32).sum(axis=1) for one in (taps, project)]
        floats = [
            expand_scale * LEVELS,
            self.producer.bias * LEVELS - 128,
            taps_scale,
            self.depthwise_bias * LEVELS - 128 + below[0] * taps_scale,
            project_scale / LEVELS,
            bias + below[1] * project_scale / LEVELS,
        ]
        scales = np.concatenate(floats).astype(np.float32)
        return [
            np.pad(scales, (0, -len(scales) % _STEP)).view(np.int8),
            _pack(expand),
            np.ascontiguousarray(taps.T).ravel(),
            _pack(project),
        ]

    def _band(
        self,
        core: Core,
        inputs: list[Expr],
        weights: Expr,
        output: Expr,
        starts: list[int],
        begin: Expr,
        count: Expr,
    ) -> None:
        """Output rows from `begin` on, strip by strip."""
        stride, hidden = self.stride, self.producer.channels
        floats = T.decl_buffer((starts[1] // 4,), "float32", data=weights.data)
        strip = core.strip(self.output.width, stride, RING_ROWS * self.ring_pitch(core))
        columns = (strip - 1) * stride + 3
        ring = T.alloc_buffer((RING_ROWS * columns * hidden,), "int8")
        tile = T.alloc_buffer((strip * hidden,), "int8")
        row_bytes = T.alloc_buffer((columns * self._depth,), "int8")
        row_scales = T.alloc_buffer((columns,), "float32")
        with T.serial(0, -(-self.output.width // strip)) as index:
            left = T.Bind(T.min(index * strip, self.output.width - strip))
            first = T.Bind(left * stride - 1)
            with T.serial(0, (count - 1) * stride + 3) as step:
                row = T.Bind(begin * stride - 1 + step)
                at = T.Bind(T.floormod(step, RING_ROWS) * (columns * hidden))
                with T.If(T.And(row >= 0, row < self.height)):
                    with T.Then():
                        given = (row_bytes, row_scales, columns)
                        self._quantise(core, inputs[0], row, first, given)
                        self._expand(core, given, weights, floats, starts[1], ring, at)
                        with T.If(first < 0), T.Then():
                            _zero(ring, at, hidden)
                        with T.If(first + columns > self.width), T.Then():
                            past = T.Bind(self.width - first)
                            _zero(ring, at + past * hidden, (columns - past) * hidden)
                    with T.Else():
                        _zero(ring, at, columns * hidden)
                with T.If(T.And(step >= 2, T.floormod(step - 2, stride) == 0)), T.Then():
                    above = [
                        T.Bind(T.floormod(step - 2 + i, RING_ROWS) * (columns * hidden))
                        for i in range(3)
                    ]
                    y = T.Bind(begin + T.floordiv(step - 2, stride))
                    self._depthwise(strip, weights, floats, starts[2], ring, above, tile)
                    self._project_row(
                        core, tile, strip, inputs, weights, floats, starts[3], output, y, left
                    )

    def _quantise(
        self,
        core: Core,
        source: Expr,
        row: Expr,
        first: Expr,
        given: _Row,
    ) -> None:
        """A row of the input as int8 (columns, in), and each pixel's step."""
        target, scales, columns = given
        depth, low = self.producer.source.channels, self.producer.source
        with T.serial(0, columns) as column:
            inside = T.min(T.max(first + column, 0), low.width - 1)
            base = T.Bind(low.at(core, row, inside))
            most = T.alloc_buffer((_LANES,), "float32", scope="local")
            store(most, constant(1e-20, _LANES), 0, _LANES)
            with T.serial(0, depth // _LANES) as k:
                x = load(source, base + k * _LANES, _LANES)
                larger = T.max(load(most, 0, _LANES), T.max(x, constant(0.0, _LANES) - x))
                store(most, larger, 0, _LANES)
            largest = T.Bind(T.max(T.max(most[0], most[1]), T.max(most[2], most[3])))
            T.buffer_store(scales, largest * T.float32(1 / 127), [column])
            inverse = T.Bind(T.Broadcast(T.float32(127) / largest, 2 * _LANES))
            with T.serial(0, depth // (2 * _LANES)) as k:
                x = load(source, base + k * 2 * _LANES, 2 * _LANES)
                _store_rounded(target, x * inverse, column * self._depth + k * 2 * _LANES)

    def _expand(
        self,
        core: Core,
        given: _Row,
        weights: Expr,
        floats: Expr,
        begin: int,
        ring: Expr,
        at: Expr,
    ) -> None:
        source, scales, columns = given
        hidden = self.producer.channels

        def finish(p: Expr, c: Expr, total: Expr) -> None:
            step = load(floats, c, 8) * T.Broadcast(scales[p], 8)
            value = T.Cast("float32x8", total) * step + load(floats, hidden + c, 8)
            _store_rounded(ring, value, at + p * hidden + c)

        _products(core, source, self._depth, columns, hidden, weights, begin, finish)

    def _depthwise(
        self,
        pixels: int,
        weights: Expr,
        floats: Expr,
        begin: int,
        ring: Expr,
        rows: list[Expr],
        tile: Expr,
    ) -> None:
        hidden, lanes, high = self.producer.channels, 2 * _LANES, min(4, pixels)
        with blocks(pixels, high) as first, T.serial(0, hidden // lanes) as vector:
            c = vector * lanes
            sums = [T.Broadcast(T.int32(0), lanes)] * high
            for tap in range(9):
                dy, dx = divmod(tap, 3)
                weight = T.Bind(_wide(load(weights, begin + tap * hidden + c, lanes)))
                for p in range(high):
                    column = (first + p) * self.stride + dx
                    value = _wide(load(ring, rows[dy] + column * hidden + c, lanes))
                    sums[p] = T.Bind(sums[p] + T.Cast(f"int32x{lanes}", value * weight))
            for p in range(high):
                value = T.Cast(f"float32x{lanes}", sums[p])
                value = value * load(floats, 2 * hidden + c, lanes)
                value = value + load(floats, 3 * hidden + c, lanes)
                _store_rounded(tile, value, (first + p) * hidden + c)

    def _project_row(
        self,
        core: Core,
        tile: Expr,
        pixels: int,
        inputs: list[Expr],
        weights: Expr,
        floats: Expr,
        begin: int,
        output: Expr,
        y: Expr,
        x: Expr,
    ) -> None:
        hidden, wide = self.producer.channels, core.padded(self.output.channels)
        target = T.Bind(self.output.at(core, y, x))
        lanes = _outputs(wide)
        base = None if self.residual is None else T.Bind(self.residual.at(core, y, x))

        def finish(p: Expr, c: Expr, total: Expr) -> None:
            value = T.Cast(f"float32x{lanes}", total) * load(floats, 4 * hidden + c, lanes)
            value = value + load(floats, 4 * hidden + wide + c, lanes)
            if base is not None:
                value = value + load(inputs[-1], base + p * wide + c, lanes)
            store(output, value, target + p * wide + c, lanes)

        _products(core, tile, hidden, pixels, wide, weights, begin, finish)


def _quantised(weights: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(out, in) int8 within ±127 and the step of each output channel."""
    steps = np.maximum(np.abs(weights).max(axis=1), 1e-20) / 127
    return np.rint(weights / steps[:, None]).astype(np.int8), steps.astype(np.float32)


def _outputs(channels: int) -> int:
    """Output channels of a register block."""
    return 2 * _LANES if channels % (2 * _LANES) == 0 else _LANES


def _pack(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """(out, in) -> flat [block][turn][out of the block][16 inputs]."""
    out, depth = weights.shape
    blocked = weights.reshape(out // _outputs(out), _outputs(out), depth // _STEP, _STEP)
    return np.ascontiguousarray(blocked.transpose(0, 2, 1, 3)).ravel()


def _products(
    core: Core,
    source: Expr,
    depth: int,
    pixels: int,
    channels: int,
    weights: Expr,
    begin: int,
    finish: Callable[[Expr, Expr, Expr], None],
) -> None:
    """Emits finish(pixel, channel, sums) for all pixels and channels.

    The sums are int32, eight where the channels divide by it, else four.
    """
    high, outs, turns = min(2, pixels), _outputs(channels), depth // _STEP
    halves = (0, _STEP // 2)
    with blocks(pixels, high) as first, T.serial(0, channels // outs) as group:
        sums = T.alloc_buffer((high * outs * _LANES,), "int32", scope="local")
        for at in range(0, high * outs * _LANES, _LANES):
            store(sums, T.Broadcast(T.int32(0), _LANES), at, _LANES)
        with T.serial(0, turns) as turn:
            row = T.Bind(begin + (group * turns + turn) * (outs * _STEP))
            pixel = [T.Bind((first + p) * depth + turn * _STEP) for p in range(high)]
            xs = [[T.Bind(_wide(load(source, a + h, 8))) for h in halves] for a in pixel]
            for n in range(outs):
                ws = [T.Bind(_wide(load(weights, row + n * _STEP + h, 8))) for h in halves]
                for p in range(high):
                    at = (p * outs + n) * _LANES
                    added = _halved(core, xs[p][0] * ws[0] + xs[p][1] * ws[1])
                    store(sums, load(sums, at, _LANES) + added, at, _LANES)
        for p in range(high):
            totals = []
            for n in range(0, outs, _LANES):
                at = (p * outs + n) * _LANES
                four = [load(sums, at + i * _LANES, _LANES) for i in range(_LANES)]
                pairs = [_adjacent(four[0], four[1]), _adjacent(four[2], four[3])]
                totals.append(T.Bind(_adjacent(*pairs)))
            together = tirx.Shuffle(totals, list(range(outs)))
            finish(first + p, group * outs, together)


def _wide(value: Expr) -> Expr:
    return T.Cast("int16x8", value)


def _halved(core: Core, value: Expr) -> Expr:
    """int16x8 -> int32x4, lanes added in pairs; which ones is all the same to a sum."""
    if core.neon:
        pairs = "llvm.aarch64.neon.saddlp.v4i32.v8i16"
        return T.call_llvm_pure_intrin("int32x4", pairs, value)
    value = T.Bind(value)
    low, high = (tirx.Shuffle([value], list(range(i, i + 4))) for i in (0, 4))
    return T.Cast("int32x4", low) + T.Cast("int32x4", high)


def _adjacent(a: Expr, b: Expr) -> Expr:
    """int32x4 of the sums of neighbours in a, then in b."""
    a, b = T.Bind(a), T.Bind(b)
    even, odd = (tirx.Shuffle([a, b], list(range(i, 8, 2))) for i in (0, 1))
    return even + odd


def _store_rounded(target: Expr, value: Expr, at: Expr) -> None:
    """target[at:] = eight values, rounded to int8, saturated."""
    whole = T.Cast("int32x8", T.round(value))
    # By way of 16 bits: each of the two steps is one saturating instruction on ARM.
    for bits in (16, 8):
        kind = f"int{2 * bits}"
        bounds = [
            T.Broadcast(tirx.const(b, kind), 8) for b in (-(1 << bits - 1), (1 << bits - 1) - 1)
        ]
        whole = T.Cast(f"int{bits}x8", T.max(T.min(whole, bounds[1]), bounds[0]))
    store(target, whole, at, 8)


def _zero(ring: Expr, begin: Expr, count: Expr) -> None:
    """The zero of the hidden map."""
    with T.serial(0, count) as index:
        T.buffer_store(ring, T.int8(-128), [begin + index])
