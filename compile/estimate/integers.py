"""`python -m compile.estimate.integers`: would 8-bit kernels beat those of the schedules?

Estimates the two kernels of a bottleneck for one value of the expanded map, in float as the
schedules emit them and in int8 as integer schedules would: sums of 32 bits, then scaled, rounded
and narrowed to 8 bits. It is what docs/decisions/0008 rests on.
"""

import sys
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script import builder as T

from compile import targets
from compile.estimate.meter import EstimateMeter
from compile.schedules import depthwise, pointwise
from compile.schedules.core import Core
from compile.schedules.pointwise import Term
from compile.schedules.vector import clipped, load, store
from compile.targets import CompileTarget
from edge_vessel.errors import EdgeVesselError

PIXELS, CHANNELS = 24, 96
DEPTHS = (16, 32, 64, 96)
RELU6 = (0.0, 6.0)


def float_pointwise(core: Core, depth: int) -> tirx.PrimFunc:
    """24 pixels of `depth` channels -> 96 channels, activated."""

    def body(x: Any, w: Any, y: Any) -> None:
        pointwise.product(
            core,
            PIXELS,
            CHANNELS,
            [Term(depth, lambda p, k: x[p * depth + k], w, CHANNELS)],
            start=lambda _first, _p, c: load(w, c, core.lanes),
            finish=lambda p, c, value: store(
                y, clipped(value, RELU6, core.lanes, core.dtype), p * CHANNELS + c, core.lanes
            ),
        )

    sizes = (PIXELS * depth, CHANNELS * (depth + 1), PIXELS * CHANNELS)
    return _function(body, sizes, (core.dtype,) * 3)


def float_depthwise(core: Core) -> tirx.PrimFunc:
    """Three rows of 26 pixels of 96 channels -> a row of 24."""

    def body(x: Any, w: Any, y: Any) -> None:
        rows = [T.int32(row * (PIXELS + 2) * CHANNELS) for row in range(3)]
        depthwise.depthwise(core, PIXELS, CHANNELS, 1, x, rows, T.int32(0), w, 0, RELU6, y)

    sizes = (3 * (PIXELS + 2) * CHANNELS, 10 * CHANNELS, PIXELS * CHANNELS)
    return _function(body, sizes, (core.dtype,) * 3)


def widening_pointwise(depth: int) -> tirx.PrimFunc:
    """The same of int8 by ARMv8.0: two products to 16 bits, added in pairs to 32."""
    pixels, outputs = 2, 8

    def body(x: Any, w: Any, scales: Any, y: Any) -> None:
        with T.serial(0, PIXELS // pixels) as block, T.serial(0, CHANNELS // outputs) as group:
            sums = [[T.Broadcast(T.int32(0), 4)] * outputs for _ in range(pixels)]
            # Unrolled, as a kernel for this depth would be: sums stay in registers.
            for k in range(0, depth, 16):
                at = [(block * pixels + p) * depth + k for p in range(pixels)]
                xs = [[_wide(load(x, a + half, 8)) for half in (0, 8)] for a in at]
                for n in range(outputs):
                    begin = (group * outputs + n) * depth + k
                    ws = [_wide(load(w, begin + half, 8)) for half in (0, 8)]
                    for p in range(pixels):
                        products = xs[p][0] * ws[0] + xs[p][1] * ws[1]
                        pairs = T.call_llvm_pure_intrin(
                            "int32x4", "llvm.aarch64.neon.saddlp.v4i32.v8i16", products
                        )
                        sums[p][n] = T.Bind(sums[p][n] + pairs)
            for p in range(pixels):
                for n in range(0, outputs, 4):
                    a, b, c, d = sums[p][n : n + 4]
                    total = _pairs(_pairs(a, b), _pairs(c, d))
                    channel = group * outputs + n
                    _narrow(total, scales, channel, y, (block * pixels + p) * CHANNELS + channel)

    return _integers(body, PIXELS * depth, CHANNELS * depth)


def dot_pointwise(depth: int) -> tirx.PrimFunc:
    """The same by the dot product of ARMv8.2: four products of 8 bits for each of four sums."""
    pixels, vectors = 6, 4

    def body(x: Any, w: Any, scales: Any, y: Any) -> None:
        words = T.decl_buffer((PIXELS * depth // 4,), "int32", data=x.data)
        wide = CHANNELS // (4 * vectors)
        with T.serial(0, PIXELS // pixels) as block, T.serial(0, wide) as group:
            sums = T.alloc_buffer((pixels * vectors * 4,), "int32", scope="local")
            for at in range(0, pixels * vectors * 4, 4):
                store(sums, T.Broadcast(T.int32(0), 4), at, 4)
            with T.serial(0, depth // 4) as k:
                row = (group * (depth // 4) + k) * vectors * 16
                ws = [T.Bind(load(w, row + v * 16, 16)) for v in range(vectors)]
                for p in range(pixels):
                    word = words[(block * pixels + p) * (depth // 4) + k]
                    four = T.Bind(T.reinterpret("int8x16", T.Broadcast(word, 4)))
                    for v in range(vectors):
                        at = (p * vectors + v) * 4
                        added = T.call_llvm_pure_intrin(
                            "int32x4",
                            "llvm.aarch64.neon.sdot.v4i32.v16i8",
                            load(sums, at, 4),
                            ws[v],
                            four,
                        )
                        store(sums, added, at, 4)
            for p in range(pixels):
                for v in range(vectors):
                    channel = (group * vectors + v) * 4
                    total = load(sums, (p * vectors + v) * 4, 4)
                    _narrow(total, scales, channel, y, (block * pixels + p) * CHANNELS + channel)

    return _integers(body, PIXELS * depth, CHANNELS * depth)


def integer_depthwise() -> tirx.PrimFunc:
    """Nine taps of int8, each product widened to 16 bits and its sum to 32."""
    high, lanes = 4, 8

    def body(x: Any, w: Any, scales: Any, y: Any) -> None:
        with T.serial(0, PIXELS // high) as block, T.serial(0, CHANNELS // lanes) as vector:
            c = vector * lanes
            sums = [T.Broadcast(T.int32(0), lanes)] * high
            for tap in range(9):
                dy, dx = divmod(tap, 3)
                weight = T.Bind(_wide(load(w, tap * CHANNELS + c, lanes)))
                for p in range(high):
                    column = dy * (PIXELS + 2) + block * high + p + dx
                    value = _wide(load(x, column * CHANNELS + c, lanes))
                    sums[p] = T.Bind(sums[p] + T.Cast(f"int32x{lanes}", value * weight))
            for p in range(high):
                _narrow(sums[p], scales, c, y, (block * high + p) * CHANNELS + c, lanes)

    return _integers(body, 3 * (PIXELS + 2) * CHANNELS, 9 * CHANNELS)


def _wide(value: Any) -> Any:
    return T.Cast("int16x8", value)


def _pairs(a: Any, b: Any) -> Any:
    return T.call_llvm_pure_intrin("int32x4", "llvm.aarch64.neon.addp.v4i32", a, b)


def _narrow(total: Any, scales: Any, channel: Any, y: Any, at: Any, lanes: int = 4) -> None:
    """y[at:] = the sums, scaled, shifted, rounded, between -128 and 127."""
    scaled = T.Cast(f"float32x{lanes}", total) * load(scales, channel, lanes)
    scaled = scaled + load(scales, CHANNELS + channel, lanes)
    whole = T.Cast(f"int32x{lanes}", T.nearbyint(scaled))
    low, high = (T.Broadcast(T.int32(bound), lanes) for bound in (-128, 127))
    store(y, T.Cast(f"int8x{lanes}", T.max(T.min(whole, high), low)), at, lanes)


def _integers(body: Any, inputs: int, weights: int) -> tirx.PrimFunc:
    sizes = (inputs, weights, 2 * CHANNELS, PIXELS * CHANNELS)
    return _function(body, sizes, ("int8", "int8", "float32", "int8"))


def _function(body: Any, sizes: tuple[int, ...], dtypes: tuple[str, ...]) -> tirx.PrimFunc:
    with IRBuilder() as builder:
        with T.prim_func(s_tir=False):
            T.func_name("f")
            T.func_attr({"tirx.noalias": True})
            arguments = zip("xwsy" if len(sizes) == 4 else "xwy", sizes, dtypes, strict=True)
            body(*(T.arg(name, T.buffer((size,), kind)) for name, size, kind in arguments))
        return builder.get()


def kernels(target: CompileTarget) -> dict[str, tirx.PrimFunc]:
    """What to compare on a core, by name."""
    integer = dot_pointwise if "asimddp" in target.features else widening_pointwise
    floats = ["fp32", *(["fp16"] if target.half else [])]
    found = {}
    for depth in DEPTHS:
        for precision in floats:
            found[f"pointwise_{depth}_{precision}"] = float_pointwise(
                target.core(1, precision), depth
            )
        found[f"pointwise_{depth}_int8"] = integer(depth)
    for precision in floats:
        found[f"depthwise_{precision}"] = float_depthwise(target.core(1, precision))
    found["depthwise_int8"] = integer_depthwise()
    return found


def main() -> int:
    """Prints cycles for one value; estimated."""
    try:
        for name in ("cortex-a72", "rpi5"):
            target = targets.find(name)
            found = EstimateMeter(target).estimates(kernels(target))
            for kernel, one in found.items():
                each = one.cycles / (PIXELS * CHANNELS)
                sys.stdout.write(f"{target.cpu}  {kernel:<20} {each:>6.2f} cycles, estimated\n")
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
