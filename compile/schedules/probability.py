"""The last projection: one channel and its sigmoid in float32, pixels in the vector lanes."""

from tvm.tirx.script import builder as T

from compile.schedules.core import Core
from compile.schedules.vector import Expr, blocks, constant

# Coefficients of exp(f) for |f| <= ln(2)/2: the single precision expf of Moshier's Cephes library.
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_LOG2_E = 1.4426950408889634


def sigmoid(value: Expr, lanes: int) -> Expr:
    """1 / (1 + exp(-value)) of a float32 vector, within 2e-7."""
    x = T.max(T.min(constant(0.0, lanes) - value, constant(87.0, lanes)), constant(-87.0, lanes))
    x = T.Bind(x)
    power = T.Bind(T.floor(x * constant(_LOG2_E, lanes) + constant(0.5, lanes)))
    f = T.Bind(x - power * constant(_LN2_HIGH, lanes) - power * constant(_LN2_LOW, lanes))
    series = constant(_EXP[0], lanes)
    for coefficient in _EXP[1:]:
        series = series * f + constant(coefficient, lanes)
    mantissa = series * f * f + f + constant(1.0, lanes)
    bits = T.Cast(f"int32x{lanes}", power) + T.Broadcast(T.int32(127), lanes)
    scale = T.reinterpret(f"float32x{lanes}", bits << T.Broadcast(T.int32(23), lanes))
    return constant(1.0, lanes) / (constant(1.0, lanes) + mantissa * scale)


def probabilities(
    core: Core,
    tile: Expr,
    pixels: int,
    pitch: int,
    hidden: int,
    weights: Expr,
    offset: int,
    output: Expr,
    row: Expr,
    column: Expr,
) -> None:
    """Emits output[0, 0, row, column:] = sigmoid(bias + weights . tile) for `pixels` pixels.

    Args:
        weights: the bias and `hidden` weights, from `offset` on.
    """
    lanes = min(core.lanes, pixels)
    with blocks(pixels, lanes) as first:
        total = T.Broadcast(T.Cast("float32", weights[offset]), lanes)
        for k in range(hidden):
            x = T.Cast(f"float32x{lanes}", tile[T.Ramp(first * pitch + k, pitch, lanes)])
            weight = T.Cast("float32", weights[offset + 1 + k])
            total = T.Bind(total + x * T.Broadcast(weight, lanes))
        T.buffer_store(output, sigmoid(total, lanes), [0, 0, row, T.Ramp(column + first, 1, lanes)])
