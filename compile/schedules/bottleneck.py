"""Depth-first bottleneck: expand, depthwise and project by rows, the expanded map never in memory.

Three rows of the expanded map roll through a ring that fits the second-level cache; each new row
lets the depthwise convolution finish one row, which is projected at once. Wide maps are cut into
strips so that the ring still fits; threads take bands of rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script import builder as T

from compile.schedules import depthwise, pointwise
from compile.schedules.core import Core
from compile.schedules.maps import Image, Map
from compile.schedules.pointwise import Term, product
from compile.schedules.probability import probabilities
from compile.schedules.producers import Producer, Row, padded
from compile.schedules.vector import Clip, Expr, fill, load, store

RING_ROWS = 3


@dataclass(frozen=True, eq=False)
class Bottleneck:
    """One bottleneck with the producer of its hidden map.

    Attributes:
        height, width: of the hidden map.
        depthwise: (hidden, 1, 3, 3), depthwise_bias (hidden,).
        project: (out, hidden), project_bias (out,).
        residual: the map added to the output; through `shortcut` (out, in) where there is one.
        final: the output is the probability (1, 1, H, W), not a map.
    """

    name: str
    height: int
    width: int
    stride: int
    producer: Producer
    depthwise: NDArray[np.float32]
    depthwise_bias: NDArray[np.float32]
    bounds: Clip
    project: NDArray[np.float32]
    project_bias: NDArray[np.float32]
    residual: Map | None = None
    shortcut: NDArray[np.float32] | None = None
    final: bool = False

    @property
    def output(self) -> Map:
        """The map that it writes."""
        return Map(self.height // self.stride, self.width // self.stride, len(self.project_bias))

    @property
    def inputs(self) -> tuple[Map | Image, ...]:
        """In the order of the function's arguments."""
        return (*self.producer.inputs, *([] if self.residual is None else [self.residual]))

    def ring_pitch(self, core: Core) -> int:
        """Bytes of a column of the rolling rows."""
        return core.padded(self.producer.channels) * core.item_bytes

    def weights_dtype(self, core: Core) -> str:
        """Of the packed constant."""
        return core.dtype

    def output_dtype(self, core: Core) -> str:
        """Of the map; a probability is float32 whatever the core computes with."""
        return "float32" if self.final else core.dtype

    def packed(self, core: Core) -> NDArray[np.floating]:
        """All weights in one flat constant, in the order of `_offsets`."""
        return np.concatenate(self._parts(core)).astype(self.weights_dtype(core))

    def _parts(self, core: Core) -> list[NDArray[np.float32]]:
        project = (
            np.append(self.project_bias, self.project.ravel()).astype(np.float32)
            if self.final
            else np.concatenate(
                [padded(self.project_bias, core), pointwise.pack(self.project, core)]
            )
        )
        parts = [
            self.producer.packed(core),
            depthwise.pack(self.depthwise, self.depthwise_bias, core),
            project,
        ]
        if self.shortcut is not None:
            parts.append(pointwise.pack(self.shortcut, core))
        return parts

    def function(self, core: Core, name: str) -> Expr:
        """The PrimFunc: inputs, weights, output.

        Raises:
            ValueError: the map's sides do not divide by the stride.
        """
        if self.height % self.stride or self.width % self.stride:
            raise ValueError(f"{self.name}: {self.width}x{self.height} and stride {self.stride}")
        starts = np.cumsum([0, *(len(part) for part in self._parts(core))])
        out = self.output
        with IRBuilder() as builder:
            with T.prim_func(s_tir=False):
                T.func_name(name)
                T.func_attr({"tirx.noalias": True, "global_symbol": name})
                inputs = [self._argument(core, f"x{i}", m) for i, m in enumerate(self.inputs)]
                weights = T.arg("w", T.buffer((int(starts[-1]),), self.weights_dtype(core)))
                shape = (1, 1, out.height, out.width) if self.final else out.shape(core)
                output = T.arg("y", T.buffer(shape, self.output_dtype(core)))
                bands = min(core.threads, out.height)
                rows = -(-out.height // bands)
                loop = T.parallel(0, bands) if bands > 1 else T.serial(0, 1)
                with loop as band:
                    begin = T.Bind(band * rows)
                    count = T.Bind(T.min(rows, out.height - begin))
                    self._band(
                        core, inputs, weights, output, [int(s) for s in starts], begin, count
                    )
            return builder.get()

    def _argument(self, core: Core, name: str, source: Map | Image) -> Expr:
        if isinstance(source, Image):
            # numpy aligns an array to its elements; TVM would assume 64 bytes.
            return T.arg(name, T.buffer(source.shape, source.dtype, align=source.item_bytes))
        return T.arg(name, T.buffer(source.shape(core), core.dtype))

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
        out, stride = self.output, self.stride
        pitch = core.padded(self.producer.channels)
        strip = core.strip(out.width, stride, RING_ROWS * self.ring_pitch(core))
        columns = (strip - 1) * stride + 3
        ring = T.alloc_buffer((RING_ROWS * columns * pitch,), core.dtype)
        scratch = T.alloc_buffer((self.producer.scratch(core, columns) + 1,), core.dtype)
        tile_pixels = self._tile_pixels(core, strip)
        tile = T.alloc_buffer((tile_pixels * pitch,), core.dtype)
        with T.serial(0, -(-out.width // strip)) as index:
            left = T.Bind(T.min(index * strip, out.width - strip))
            first = T.Bind(left * stride - 1)
            with T.serial(0, (count - 1) * stride + 3) as step:
                row = T.Bind(begin * stride - 1 + step)
                at = T.Bind(T.floormod(step, RING_ROWS) * (columns * pitch))
                self._produce(
                    core, inputs, weights, scratch, Row(ring, at, row, first, columns), pitch
                )
                with T.If(T.And(step >= 2, T.floormod(step - 2, stride) == 0)), T.Then():
                    above = [
                        T.Bind(T.floormod(step - 2 + i, RING_ROWS) * (columns * pitch))
                        for i in range(3)
                    ]
                    y = T.Bind(begin + T.floordiv(step - 2, stride))
                    tiles = -(-strip // tile_pixels)
                    with T.serial(0, tiles) as number:
                        x = T.Bind(T.min(number * tile_pixels, strip - tile_pixels))
                        depthwise.depthwise(
                            core,
                            tile_pixels,
                            pitch,
                            stride,
                            ring,
                            above,
                            x,
                            weights,
                            starts[1],
                            self.bounds,
                            tile,
                        )
                        self._project(
                            core, tile, tile_pixels, inputs, weights, output, starts, y, left + x
                        )

    def _tile_pixels(self, core: Core, strip: int) -> int:
        """One register block where the weights stay in the first-level cache; else a row."""
        if self.final:
            return min(strip, 8 * core.lanes)
        size = self.project.size * core.item_bytes
        high = core.block(core.vectors(len(self.project_bias)))[0]
        return min(strip, high if size <= core.l1_bytes // 2 else strip)

    def _produce(
        self,
        core: Core,
        inputs: list[Expr],
        weights: Expr,
        scratch: Expr,
        row: Row,
        pitch: int,
    ) -> None:
        """A row of the hidden map into the ring, zero outside the map."""
        with T.If(T.And(row.row >= 0, row.row < self.height)):
            with T.Then():
                self.producer.emit(core, inputs, weights, scratch, row)
                with T.If(row.first < 0), T.Then():
                    fill(row.ring, row.at, pitch, 0.0)
                with T.If(row.first + row.columns > self.width), T.Then():
                    past = T.Bind(self.width - row.first)
                    fill(row.ring, row.at + past * pitch, (row.columns - past) * pitch, 0.0)
            with T.Else():
                fill(row.ring, row.at, row.columns * pitch, 0.0)

    def _project(
        self,
        core: Core,
        tile: Expr,
        pixels: int,
        inputs: list[Expr],
        weights: Expr,
        output: Expr,
        starts: list[int],
        y: Expr,
        x: Expr,
    ) -> None:
        hidden, lanes, out = self.producer.channels, core.lanes, self.output
        pitch = core.padded(hidden)
        if self.final:
            probabilities(core, tile, pixels, pitch, hidden, weights, starts[2], output, y, x)
            return
        bias = starts[2]
        terms = [
            Term(
                hidden,
                lambda p, k: tile[p * pitch + k],
                weights,
                bias + core.padded(len(self.project_bias)),
            )
        ]
        base = None
        if self.residual is not None:
            base = T.Bind(self.residual.at(core, y, x))
            inner = core.padded(self.residual.channels)
            if self.shortcut is not None:
                terms.append(
                    Term(
                        self.residual.channels,
                        lambda p, k: inputs[-1][base + p * inner + k],
                        weights,
                        starts[3],
                    )
                )
        adds = self.residual is not None and self.shortcut is None
        target = T.Bind(out.at(core, y, x))
        wide = core.padded(out.channels)

        def start(first: Expr, p: int, c: Expr) -> Expr:
            value = load(weights, bias + c, lanes)
            return (
                value + load(inputs[-1], base + (first + p) * inner + c, lanes) if adds else value
            )

        product(
            core,
            pixels,
            out.channels,
            terms,
            start=start,
            finish=lambda p, c, value: store(output, value, target + p * wide + c, lanes),
        )
