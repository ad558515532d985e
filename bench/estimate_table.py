"""Estimates as one table, what the model was wrong by beside them."""

from collections.abc import Sequence

from bench.estimate_file import EstimateRun, PeerEstimateRun
from bench.section import Section

_HEADER = (
    "network", "engine", "core", "kind", "ms", "ms, serial", "ms a GMAdd", "of peak", "M cycles",
    "MB from and to memory",
)  # fmt: skip


def section(runs: Sequence[EstimateRun | PeerEstimateRun]) -> Section:
    """A row an estimate."""
    remarks = dict.fromkeys(
        f"{run.model.cpu}: published times of {len(run.validation.networks)} networks by "
        f"{run.validation.engine} are {run.validation.ratios[0]:.2f} to "
        f"{run.validation.ratios[1]:.2f} of the estimates: {run.validation.source}"
        for run in runs
        if run.validation is not None
    )
    serial = "ms: memory works while the core computes; serial: it does not"
    return Section(
        "estimates of one inference on one core; nothing is measured",
        _HEADER,
        tuple(map(_row, runs)),
        (serial, *remarks),
    )


def _row(run: EstimateRun | PeerEstimateRun) -> tuple[str, ...]:
    cost, model = run.cost, run.model
    if isinstance(run, EstimateRun):
        subject = run.subject
        name, engine, size = f"{subject.name} {subject.precision}", subject.engine, subject.input
    else:
        name, engine, size = run.network, run.engine, run.input
    return (
        f"{name} {size[1]}x{size[0]}",
        engine,
        f"{model.cpu} at {model.clock_mhz:.0f} MHz",
        run.kind,
        f"{cost.ms:.1f}",
        f"{cost.serial_ms:.1f}",
        f"{cost.ms_per_gmadd:.1f}",
        "unknown" if cost.percent_of_peak is None else f"{cost.percent_of_peak:.1f} %",
        f"{cost.cycles / 1e6:.1f}",
        f"{(cost.bytes_read + cost.bytes_written) / 1e6:.1f}",
    )
