"""Runs of latency and energy as one table."""

from collections.abc import Sequence
from pathlib import Path

from bench import energy_table
from bench.conditions import BUSY_PERCENT, course
from bench.run_file import Case, EnergyCase, EnergyRun, Run
from bench.section import Section
from edge_vessel.command_line import printable
from edge_vessel.meters.base import ATTACH

HEADER = (
    "machine", "case", "engine", "kind", "p50 ms", "p95 ms", "p99 ms", "total p50 ms", "first ms",
    "load ms", "GMAdd/s", "of peak", "memory MB", "artifact MB", "power",
)  # fmt: skip
STAGES_HEADER = (
    "machine", "case", "stage", "kind", "runs", "min", "mean", "p50", "p90", "p95", "p99", "max",
    "std",
)  # fmt: skip
NO_METER = "no meter"


def section(found: Sequence[tuple[Path, Run]]) -> Section:
    """A row a case. Remarks: conditions of each run, what makes its energy weaker than it looks."""
    rows = tuple(_cells(run, case) for _, run in found for case in run.cases)
    remarks = []
    for file, run in found:
        remarks.append(_conditions(file, run))
        for case in run.cases:
            if isinstance(case, EnergyCase):
                remarks += [f"{case.title}: {said}" for said in energy_table.remarks(case.energy)]
    energy = any(isinstance(run, EnergyRun) for _, run in found)
    if not energy:
        remarks.append(f"power: {NO_METER} in a run of latency: bench energy takes one; {ATTACH}")
    return Section("Latency and power" if energy else "Latency", HEADER, rows, tuple(remarks))


def stages(runs: Sequence[Run]) -> Section:
    """A row a stage of each case, with every figure of its distribution."""
    rows = [
        (
            run.conditions.machine.cpu,
            case.title,
            name,
            run.kind,
            str(one.count),
            *(f"{value:.2f}" for value in list(vars(one).values())[1:]),
        )
        for run in runs
        for case in run.cases
        for name, one in vars(case.stages).items()
    ]
    return Section("Stages, milliseconds", STAGES_HEADER, tuple(rows))


def _cells(run: Run, case: Case) -> tuple[str, ...]:
    """What was not measured is said, never guessed."""
    share = "unknown" if case.peak is None else f"{case.peak.percent:.1f} %"
    inference = case.stages.inference
    return (
        run.conditions.machine.cpu,
        case.title,
        case.subject.engine,
        run.kind,
        *(f"{value:.1f}" for value in (inference.p50_ms, inference.p95_ms, inference.p99_ms)),
        f"{case.stages.total.p50_ms:.1f}",
        f"{case.first_inference_ms:.0f}",
        f"{case.load_ms:.0f}",
        f"{case.gmadds_per_s:.2f}",
        share,
        f"{case.peak_rss_mb:.0f}",
        f"{case.subject.size_bytes / 1e6:.1f}",
        _power(run, case),
    )


def _power(run: Run, case: Case) -> str:
    """What a meter said, by which meter and of which kind; or that none did."""
    if not (isinstance(run, EnergyRun) and isinstance(case, EnergyCase)):
        return NO_METER
    found, source = case.energy, f"{run.meter.kind} by {run.meter.name}"
    if found.loaded_power_w is None:
        return f"no joules: {found.why}"
    above = found.above_idle_per_inference_j
    parts = [
        f"{found.loaded_power_w} W",
        "above idle unknown" if above is None else f"{above} J per inference above idle",
        source,
        *(["short windows"] if found.short else []),
    ]
    return ", ".join(parts)


def _conditions(file: Path, run: Run) -> str:
    """Under which conditions a run's figures hold."""
    found = run.conditions
    parts = [
        f"{found.machine.model}, {found.machine.os}, Linux {found.machine.kernel}",
        f"governor {', '.join(found.governors) or 'unknown'}",
        course(found),
        *(["measured all the same"] if found.forced and found.busy_percent > BUSY_PERCENT else []),
        f"slowed by {', '.join(found.throttle)}" if found.throttle else "not slowed",
        f"edge_vessel {found.versions.edge_vessel}, revision {found.git_revision or 'unknown'}",
        run.created,
    ]
    return f"{printable(file.name)}: {'; '.join(parts)}"
