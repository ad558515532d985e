"""The few vector statements that every schedule is written in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tvm import tirx
from tvm.tirx.script import builder as T

Expr = Any  # tvm.tirx's expressions and buffers have no static types
Clip = tuple[float | None, float | None]


def load(buffer: Expr, index: Expr, lanes: int) -> Expr:
    """`lanes` consecutive elements from `index`."""
    return buffer[T.Ramp(index, 1, lanes)]


def store(buffer: Expr, value: Expr, index: Expr, lanes: int) -> None:
    """Writes `lanes` consecutive elements from `index`."""
    T.buffer_store(buffer, value, [T.Ramp(index, 1, lanes)])


def constant(value: float, lanes: int, dtype: str = "float32") -> Expr:
    """A vector of one number."""
    return T.Broadcast(tirx.const(value, dtype), lanes)


def clipped(value: Expr, bounds: Clip, lanes: int, dtype: str) -> Expr:
    """`value` between the bounds; None leaves a side open."""
    low, high = bounds
    if low is not None:
        value = T.max(value, constant(low, lanes, dtype))
    if high is not None:
        value = T.min(value, constant(high, lanes, dtype))
    return value


@contextmanager
def blocks(total: int, size: int) -> Iterator[Expr]:
    """A loop over blocks of exactly `size`; the last one overlaps the one before it.

    What it computes twice it must compute alike: the body may not add to what it wrote.
    """
    count = -(-total // size)
    with T.serial(0, count) as index:
        yield T.Bind(T.min(index * size, total - size))


def fill(buffer: Expr, begin: Expr, count: Expr, value: float) -> None:
    """Sets `count` numbers from `begin`; both may be expressions."""
    with T.serial(0, count) as index:
        T.buffer_store(buffer, tirx.const(value, buffer.dtype), [begin + index])
