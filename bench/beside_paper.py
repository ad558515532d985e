"""Our figures beside those that M2U-Net's authors published, each cell with its kind."""

from collections.abc import Sequence

from bench.accuracy_file import AccuracyRun
from bench.estimate_file import EstimateRun
from bench.gpu_file import GpuRun
from bench.joules import Joules
from bench.published import LAIBACHER_2019, LAIBACHER_2019_RANGE, NETWORKS
from bench.run_file import EnergyRun, Run
from bench.run_table import NO_METER
from bench.section import Section
from bench.subject import Subject

_SETS = {"drive": "DRIVE", "chase_db1": "CHASE_DB1", "hrf": "HRF"}
_HEADER = (
    "network", *(f"Dice {name}" for name in _SETS.values()), "GMAdds", "M parameters", "median ms",
    "W",
)  # fmt: skip
_FULL_FRAME = "full frame"

Timed = Run | EstimateRun | GpuRun


def section(accuracies: Sequence[AccuracyRun], timed: Sequence[Timed]) -> Section | None:
    """Published rows, then one of each artifact whose accuracy is told or whose time on a core of
    Arm's or a GPU is; None where there is none.

    Args:
        accuracies: for Dice.
        timed: for the time and the power of the same artifacts.
    """
    subjects = [one for run in accuracies for one in run.subjects]
    subjects += [run.subject for run in timed if isinstance(run, EstimateRun | GpuRun)]
    ours = [
        _row(accuracies, one, timed)
        for one in {one.manifest_sha256: one for one in subjects}.values()
    ]
    if not ours:
        return None
    theirs = [
        (
            f"{one.name} ({one.source})",
            *(f"{one.dice[name]:.4f} published" if name in one.dice else "" for name in _SETS),
            "" if one.multiply_adds is None else f"{one.multiply_adds / 1e9:.1f} published",
            f"{one.parameters / 1e6:.2f} published",
            "",
            f"{LAIBACHER_2019.idle_w:g} to {LAIBACHER_2019.loaded_w:g} published"
            if one is NETWORKS[0]
            else "",
        )
        for one in NETWORKS
    ]
    return Section(
        "beside the paper: Dice, full frame, pooled",
        _HEADER,
        (*theirs, *ours),
        (
            LAIBACHER_2019_RANGE,
            "the paper trains a network for each data set and takes the threshold that is best on "
            "its test photographs; ours are at the artifact's own threshold, chosen on training "
            "photographs; multiply-adds of the paper are of 544x544",
        ),
    )


def _row(
    accuracies: Sequence[AccuracyRun], subject: Subject, timed: Sequence[Timed]
) -> tuple[str, ...]:
    dice = [
        (line.dataset, f"{line.scores.dice:.4f} {run.kind}, photographs: {line.photographs}")
        for run in accuracies
        if subject.manifest_sha256 in {one.manifest_sha256 for one in run.subjects}
        for line in run.lines
        if (line.artifact, line.region) == (subject.name, _FULL_FRAME)
    ]
    times = [one for run in timed for one in _times(run, subject)]
    powers = [one for run in timed for one in _powers(run, subject)]
    height, width = subject.input
    return (
        f"{subject.name} {width}x{height} (ours)",
        *("; ".join(told for dataset, told in dice if dataset == one) for one in _SETS),
        f"{subject.multiply_adds / 1e9:.1f} counted",
        "",
        "; ".join(times),
        "; ".join(powers) or (NO_METER if times else ""),
    )


def _times(run: Timed, subject: Subject) -> list[str]:
    if isinstance(run, Run):
        found = [
            (
                case.subject,
                f"{case.stages.inference.p50_ms:.0f} {run.kind}, {case.threads} "
                f"thread{'s' if case.threads > 1 else ''}",
            )
            for case in run.cases
        ]
    elif isinstance(run, EstimateRun):
        found = [(run.subject, f"{run.cost.ms:.0f} {run.kind}, one {run.model.cpu}")]
    else:
        found = [(run.subject, f"{run.stages.network.p50_ms:.1f} {run.kind}, {run.device}")]
    return [said for one, said in found if one.manifest_sha256 == subject.manifest_sha256]


def _powers(run: Timed, subject: Subject) -> list[str]:
    found: list[tuple[Subject, Joules, str | None]] = []
    if isinstance(run, EnergyRun):
        found = [(case.subject, case.energy, run.meter.kind) for case in run.cases]
    elif isinstance(run, GpuRun) and run.energy is not None:
        found = [(run.subject, run.energy, run.meter)]
    return [
        f"{energy.loaded_power_w or 'no joules'} {meter}"
        for one, energy, meter in found
        if one.manifest_sha256 == subject.manifest_sha256
    ]
