"""The same two rules for GPUs: a thread computes a few pixels of four channels in registers.

Neighbouring threads read neighbouring channels, so that weights and maps are read in whole lines;
what threads share they find in the first-level cache. No thread waits for another, which is why the
schedules can be run, and are tested, as plain loops on a CPU.
"""

from tvm import s_tir, tirx

from compile.rules.convolution import find_convolution
from compile.schedules.core import Core

CHANNELS = 4  # of a thread: one 128-bit access
_PIXELS = 4  # of a thread
_WARP, _THREADS = 32, 256


def gpu_convolution(function: tirx.PrimFunc, _: Core) -> s_tir.Schedule | None:
    """The schedule, or None where the function holds no convolution in NHWC."""
    schedule = s_tir.Schedule(function)
    found = find_convolution(schedule)
    if found is None:
        return None
    for block in (*found.before, *found.after[:-1]):
        schedule.compute_inline(block)
    conv = found.block
    last = found.after[-1] if found.after else schedule.cache_write(conv, 0, "local")
    n, y, x, c = schedule.get_loops(last)
    _, _, width, channels = (int(schedule.get(loop).extent) for loop in (n, y, x, c))
    pixels = _divisor(width, _PIXELS)
    lanes = _divisor(channels, CHANNELS)
    across = _divisor(channels // lanes, _WARP)
    along = _divisor(width // pixels, _THREADS // across)
    columns, ty, p = schedule.split(x, [None, along, pixels])
    groups, tx, lane = schedule.split(c, [None, across, lanes])
    schedule.reorder(n, y, columns, groups, ty, tx, p, lane)
    schedule.bind(schedule.fuse(n, y, columns, groups), "blockIdx.x")
    schedule.bind(ty, "threadIdx.y")
    schedule.bind(tx, "threadIdx.x")
    schedule.compute_at(conv, tx, preserve_unit_loops=True)
    schedule.set_scope(conv, 0, "local")
    cp, cc, ry, rx, rc = schedule.get_loops(conv)[-5:]
    schedule.reorder(ry, rx, rc, cp, cc)
    schedule.vectorize(cc)
    schedule.unroll(cp)
    schedule.decompose_reduction(conv, ry)
    schedule.vectorize(lane)
    schedule.unroll(p)
    return schedule


def gpu_spatial(function: tirx.PrimFunc, _: Core) -> s_tir.Schedule | None:
    """Anything else: one thread for each element, reductions inside it."""
    schedule = s_tir.Schedule(function)
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    for block in blocks[:-1]:
        try:
            schedule.compute_inline(block)
        except s_tir.ScheduleError:
            continue
    for block in schedule.get_child_blocks(schedule.get_sblock("root")):
        kinds = [one.iter_type for one in schedule.get(block).iter_vars]
        loops = schedule.get_loops(block)
        over = [
            loop for loop, kind in zip(loops, kinds, strict=True) if kind == tirx.IterVar.DataPar
        ]
        rest = [loop for loop in loops if loop not in over]
        schedule.reorder(*over, *rest)
        whole = schedule.fuse(*over) if over else schedule.add_unit_loop(block)
        threads = min(_THREADS, int(schedule.get(whole).extent))
        outer, inner = schedule.split(whole, [None, threads])
        schedule.bind(outer, "blockIdx.x")
        schedule.bind(inner, "threadIdx.x")
    return schedule


def _divisor(number: int, most: int) -> int:
    """The greatest divisor of `number` up to `most`."""
    return next(one for one in range(min(number, most), 0, -1) if number % one == 0)
