"""x2 bilinear upsampling with half-pixel centres: the blend of two rows."""

from tvm.tirx.script import builder as T

from compile.schedules.core import Core
from compile.schedules.maps import Map
from compile.schedules.vector import Expr, constant, load, store


def vertical_blend(
    core: Core, low: Map, source: Expr, row: Expr, first: Expr, columns: int, target: Expr
) -> None:
    """Emits target (columns, C) = the row of the upsampled map, before its columns are blended.

    Column 0 is the low column (first - 1) / 2, where `first` is odd. Rows and columns past the
    border repeat the border, as half-pixel resizing does: output row 2i lies a quarter above the
    centre of input row i, output row 2i + 1 a quarter below it.

    Args:
        row, first: of the upsampled map.
    """
    lanes, pitch = core.lanes, core.padded(low.channels)
    near = T.Bind(T.floordiv(row, 2))
    other = near + T.floormod(row, 2) * 2 - 1
    other = T.Bind(T.min(T.max(other, 0), low.height - 1))
    begin = T.Bind(T.floordiv(first - 1, 2))
    with T.serial(0, columns) as column, T.serial(0, pitch // lanes) as vector:
        inside = T.min(T.max(begin + column, 0), low.width - 1)
        c = vector * lanes
        a = load(source, low.at(core, near, inside) + c, lanes)
        b = load(source, low.at(core, other, inside) + c, lanes)
        value = a * constant(0.75, lanes, core.dtype)
        value = value + b * constant(0.25, lanes, core.dtype)
        store(target, value, column * pitch + c, lanes)
