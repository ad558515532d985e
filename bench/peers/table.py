"""A comparison as a table."""

from bench import conditions, tables
from bench.peers.document import PeersRun
from bench.section import Section

_HEADER = (
    "engine", "version", "precision", "p50 ms", "p90 of rounds", "ours/its (95 % interval)",
    "differs by up to", "load ms", "memory MB",
)  # fmt: skip


def section(run: PeersRun) -> Section:
    """A row an engine, ours first, then what was left out and why."""
    rows = tuple(
        (
            row.engine,
            row.version,
            row.precision,
            f"{row.inference.p50_ms:.2f}",
            f"{row.inference.p90_ms:.2f}",
            ("1" if row is run.engines[0] else "too few rounds")
            if row.ratio is None
            else str(row.ratio),
            f"{row.largest_difference:.1e}",
            f"{row.load_ms:.0f}",
            f"{row.peak_rss_mb:.0f}",
        )
        for row in run.engines
    )
    height, width = run.subject.input
    plural = "s" if run.threads > 1 else ""
    title = (
        f"{run.subject.name} {width}x{height}, {run.threads} thread{plural}, inference alone; "
        f"{run.conditions.machine.cpu}; {run.kind}"
    )
    remarks = [f"left out: {one.engine}: {one.reason}" for one in run.left_out]
    remarks.append(
        f"{run.rounds} rounds of {run.repetitions} inferences, interleaved, processes started anew "
        f"{run.starts} times; {conditions.course(run.conditions)}"
    )
    return Section(title, _HEADER, rows, tuple(remarks))


def show(run: PeersRun) -> None:
    """On stdout."""
    tables.show_section(section(run), right=len(_HEADER) - 3)
