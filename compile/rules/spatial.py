"""Everything else (pooling, concatenation, resizing): rows on threads, vectors inside."""

from tvm import s_tir, tirx

from compile.schedules.core import Core


def spatial(function: tirx.PrimFunc, core: Core) -> s_tir.Schedule | None:
    """The schedule; blocks that cannot be inlined get loops of their own."""
    schedule = s_tir.Schedule(function)
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    for block in blocks[:-1]:
        try:
            schedule.compute_inline(block)
        except s_tir.ScheduleError:
            continue
    for block in schedule.get_child_blocks(schedule.get_sblock("root")):
        _own_loops(schedule, block, core)
    return schedule


def _own_loops(schedule: s_tir.Schedule, block: s_tir.schedule.SBlockRV, core: Core) -> None:
    kinds = [str(one.iter_type) for one in schedule.get(block).iter_vars]
    loops = schedule.get_loops(block)
    if len(kinds) != len(loops):
        return
    over = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == "0"]
    rest = [loop for loop, kind in zip(loops, kinds, strict=True) if kind != "0"]
    if not over:
        return
    *outer, inner = over
    lanes = core.lanes
    while int(schedule.get(inner).extent) % lanes:
        lanes //= 2
    blocks, lane = schedule.split(inner, [None, lanes])
    schedule.reorder(*outer, blocks, *rest, lane)
    schedule.vectorize(lane)
    if outer:
        schedule.parallel(schedule.fuse(*outer[:2]) if len(outer) > 1 else outer[0])
