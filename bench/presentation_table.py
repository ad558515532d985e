"""Presentation checks as a table."""

from bench import conditions
from bench.presentation_file import PresentationRun
from bench.section import Section


def section(run: PresentationRun) -> Section:
    """A row a stream, and what a frame costs."""
    rows = tuple(
        (
            one.name,
            f"{one.refused}/{one.captures}",
            f"{one.refused_with_pulse}/{one.captures}",
            ", ".join(one.suspicions),
        )
        for one in run.streams
    )
    cost = (
        f"{run.frame_side_px} px, processor time of a frame: p50 {run.frame.p50_ms:.1f} ms, p95 "
        f"{run.frame.p95_ms:.1f} ms; {run.conditions.machine.cpu}; "
        f"{conditions.course(run.conditions)}"
    )
    title = f"Simulated streams of {run.duration_s:g} s"
    return Section(title, ("stream", "refused", "with pulse required", "as"), rows, (cost,))
