"""What a run says at its end, as a table and as JSON."""

import resource
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge_vessel.meters.stopwatch import Percentiles
from edge_vessel.meters.window import Energy
from edge_vessel.pipeline import Outcome
from edge_vessel.segmenter import Segmenter
from edge_vessel.sinks.base import CameraState


@dataclass(frozen=True)
class Summary:
    """One run. Durations in milliseconds by stage; `exit_code` is the process's own."""

    source: str
    model: str
    engine: str
    threads: int
    threshold: float
    captured: int
    processed: int
    no_fundus: int
    dropped: int
    failed: int
    camera: CameraState
    losses: int
    duration_s: float
    fps: float
    stages: dict[str, Percentiles | None]
    peak_rss_mb: float
    power: Energy
    output: str | None
    error: str | None
    exit_code: int


def summarise(
    source: str, segmenter: Segmenter, outcome: Outcome, power: Energy, output: Path | None
) -> Summary:
    """Puts together what the pipeline, the segmenter and the meter know."""
    progress = outcome.progress
    return Summary(
        source=source,
        model=segmenter.artifact.manifest.name,
        engine=f"{segmenter.engine.name} {segmenter.engine.version}",
        threads=segmenter.engine.threads,
        threshold=segmenter.threshold,
        captured=progress.captured,
        processed=progress.processed,
        no_fundus=progress.no_fundus,
        dropped=progress.dropped,
        failed=progress.failed,
        camera=progress.camera,
        losses=progress.losses,
        duration_s=progress.duration_s,
        fps=progress.fps,
        stages=progress.stages,
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        power=power,
        output=None if output is None else str(output),
        error=None if outcome.fault is None else str(outcome.fault),
        exit_code=outcome.exit_code,
    )


def print_summary(summary: Summary, console: Console) -> None:
    """The table by stage, then a line each for frames, machine and output.

    A run that segmented nothing has neither times nor pictures to show.
    """
    if summary.processed:
        console.print(_stage_table(summary))
    lines = [
        f"frames: {summary.processed} segmented, {summary.captured} captured, "
        f"{summary.dropped} dropped, {summary.failed} failed, {summary.no_fundus} without a fundus",
        f"speed: {summary.fps:.2f} fps over {summary.duration_s:.1f} s; "
        f"peak memory {summary.peak_rss_mb:.0f} MB; {_power_text(summary.power)}",
    ]
    machine = _machine_text(summary.power)
    if machine is not None:
        lines.append(machine)
    if summary.losses:
        lines.append(f"camera: times lost: {summary.losses}; {summary.camera} at the end")
    if summary.output is not None and summary.processed:
        lines.append(f"pictures: {summary.output}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _stage_table(summary: Summary) -> Table:
    table = Table(title=f"{summary.model} on {summary.engine}, {summary.threads} threads")
    table.add_column("stage")
    for name in ("p50", "p90", "p95", "p99", "max"):
        table.add_column(f"{name} ms", justify="right")
    for stage, times in summary.stages.items():
        values = () if times is None else list(asdict(times).values())[1:]
        table.add_row(stage, *(f"{value:.1f}" for value in values))
    return table


def _power_text(power: Energy) -> str:
    if power.mean_power_w is None or power.energy_j is None:
        return f"power: {power.why}"
    error = "" if power.uncertainty_j is None else f" ± {power.uncertainty_j:.1f}"
    return (
        f"power: {power.mean_power_w:.2f} W, {power.energy_j:.1f}{error} J "
        f"({power.kind}, {power.meter}, {power.samples} samples)"
    )


def _machine_text(power: Energy) -> str | None:
    """Temperature and speed, None on a machine that tells neither."""
    parts = []
    if power.before.hottest_c is not None and power.after.hottest_c is not None:
        most = power.during.hottest_c or power.after.hottest_c
        parts.append(
            f"{power.before.hottest_c:.0f} °C before, {most:.0f} at most, "
            f"{power.after.hottest_c:.0f} after"
        )
    if power.during.mean_mhz:
        parts.append(f"{max(power.during.mean_mhz):.0f} MHz on average")
    if power.during.slowed_by:
        parts.append(f"slowed by {', '.join(power.during.slowed_by)}")
    return f"machine: {'; '.join(parts)}" if parts else None
