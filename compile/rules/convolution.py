"""Any convolution in NHWC: a register block of pixels and output channels, reduced over the taps.

Bands of rows run on threads; the padded input of a band is made once and stays in the second-level
cache for all blocks of output channels.
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir, tirx

from compile.schedules.core import Core

_NAMES = ("conv2d_nhwc", "group_conv2d_nhwc", "depthwise_conv2d_nhwc")


@dataclass(frozen=True)
class Found:
    """The blocks of a function around its convolution; `before` pads, `after` is elementwise."""

    before: list[Any]
    block: Any
    after: list[Any]


def find_convolution(schedule: s_tir.Schedule) -> Found | None:
    """The one convolution in NHWC of a function, if it has one."""
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    names = [schedule.get(block).name_hint for block in blocks]
    at = [i for i, name in enumerate(names) if name in _NAMES]
    if len(at) != 1:
        return None
    return Found(blocks[: at[0]], blocks[at[0]], blocks[at[0] + 1 :])


def convolution(function: tirx.PrimFunc, core: Core) -> s_tir.Schedule | None:
    """The schedule, or None where the function holds no such convolution."""
    schedule = s_tir.Schedule(function)
    found = find_convolution(schedule)
    if found is None:
        return None
    before, conv, after = found.before, found.block, found.after
    taps = [int(loop.extent) for loop in map(schedule.get, schedule.get_loops(conv)[4:])]
    for block in after[:-1]:
        schedule.compute_inline(block)
    for block in before[:-1]:
        schedule.compute_inline(block)
    pad = before[-1] if before else None
    if pad is not None and taps[:2] == [1, 1]:
        schedule.compute_inline(pad)
        pad = None
    last = after[-1] if after else schedule.cache_write(conv, 0, "local")
    _, height, width, channels = (int(schedule.get(x).extent) for x in schedule.get_loops(last))
    pixels, vectors, lanes = _block(core, width, channels)
    n, y, x, c = schedule.get_loops(last)
    band = _band(core, height, width * taps[2])
    outer, rows = schedule.split(y, [None, band])
    columns, p = schedule.split(x, [None, pixels])
    group, v, lane = schedule.split(c, [None, vectors, lanes])
    schedule.reorder(n, outer, group, rows, columns, p, v, lane)
    schedule.parallel(schedule.fuse(n, outer))
    schedule.compute_at(conv, columns, preserve_unit_loops=True)
    if pad is not None:
        schedule.compute_at(pad, schedule.get_loops(last)[0])
        *_, inner = schedule.get_loops(pad)
        _vectorize(schedule, inner, core.lanes)
    loops = schedule.get_loops(conv)
    cp, cc, ry, rx, rc = loops[-5:]
    cv, cl = schedule.split(cc, [None, lanes])
    schedule.reorder(ry, rx, rc, cp, cv, cl)
    schedule.vectorize(cl)
    schedule.unroll(cp)
    schedule.unroll(cv)
    schedule.decompose_reduction(conv, ry)
    schedule.vectorize(lane)
    schedule.unroll(p)
    schedule.unroll(v)
    return schedule


def _block(core: Core, width: int, channels: int) -> tuple[int, int, int]:
    """(pixels, vectors, lanes) that divide the row and the channels; the most accumulators win."""
    lanes = core.lanes
    while channels % lanes:
        lanes //= 2
    groups = channels // lanes
    best = (0, 0.0, 1, 1)
    for vectors in range(1, 7):
        if groups % vectors:
            continue
        for pixels in range(1, 25):
            used = pixels * vectors + vectors + 1
            if width % pixels or used > core.registers:
                continue
            loads = (pixels + vectors) / (pixels * vectors)
            best = max(best, (pixels * vectors, -loads, pixels, vectors))
    return best[2], best[3], lanes


def _band(core: Core, height: int, row_floats: int) -> int:
    """Rows of a band: they divide the height, fill half the cache and leave each thread some."""
    most = max(1, core.l2_bytes // 2 // (row_floats * core.item_bytes))
    fits = [n for n in range(1, height + 1) if height % n == 0 and n <= most]
    shared = [n for n in fits if (height // n) % core.threads == 0]
    return max(shared or fits)


def _vectorize(schedule: s_tir.Schedule, loop: s_tir.schedule.LoopRV, lanes: int) -> None:
    extent = int(schedule.get(loop).extent)
    if extent % lanes == 0:
        schedule.vectorize(schedule.split(loop, [None, lanes])[1])
