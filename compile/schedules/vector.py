"""The few vector statements that every schedule is written in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tvm.tirx.script import builder as T

Expr = Any  # tvm.tirx's expressions and buffers have no static types
Clip = tuple[float | None, float | None]


def load(buffer: Expr, index: Expr, lanes: int) -> Expr:
    """`lanes` consecutive elements from `index`."""
    return buffer[T.Ramp(index, 1, lanes)]


def store(buffer: Expr, value: Expr, index: Expr, lanes: int) -> None:
    """Writes `lanes` consecutive elements from `index`."""
    T.buffer_store(buffer, value, [T.Ramp(index, 1, lanes)])


def constant(value: float, lanes: int) -> Expr:
    """A vector of one float32."""
    return T.Broadcast(T.float32(value), lanes)


def clipped(value: Expr, bounds: Clip, lanes: int) -> Expr:
    """`value` between the bounds; None leaves a side open."""
    low, high = bounds
    if low is not None:
        value = T.max(value, constant(low, lanes))
    if high is not None:
        value = T.min(value, constant(high, lanes))
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
    """Sets `count` float32 from `begin`; both may be expressions."""
    with T.serial(0, count) as index:
        T.buffer_store(buffer, T.float32(value), [begin + index])
