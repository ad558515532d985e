"""Our figures beside those that M2U-Net's authors published, each cell with its kind."""

from collections.abc import Sequence

from bench.accuracy_file import AccuracyRun
from bench.published import LAIBACHER_2019, LAIBACHER_2019_RANGE, NETWORKS
from bench.run_file import EnergyCase, EnergyRun, Run
from bench.run_table import NO_METER
from bench.section import Section
from bench.subject import Subject

_SETS = {"drive": "DRIVE", "chase_db1": "CHASE_DB1", "hrf": "HRF"}
_HEADER = (
    "network", *(f"Dice {name}" for name in _SETS.values()), "GMAdds", "M parameters", "median ms",
    "W",
)  # fmt: skip
_FULL_FRAME = "full frame"


def section(accuracies: Sequence[AccuracyRun], runs: Sequence[Run]) -> Section | None:
    """Published rows, then one of each artifact whose accuracy is told; None where none is.

    Args:
        accuracies: for Dice.
        runs: of latency and energy, for the time and the power of the same artifacts.
    """
    subjects = {one.manifest_sha256: one for run in accuracies for one in run.subjects}
    ours = [_row(accuracies, one, runs) for one in subjects.values()]
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
    accuracies: Sequence[AccuracyRun], subject: Subject, runs: Sequence[Run]
) -> tuple[str, ...]:
    dice = {
        line.dataset: f"{line.scores.dice:.4f} {run.kind}, photographs: {line.photographs}"
        for run in accuracies
        if subject.manifest_sha256 in {one.manifest_sha256 for one in run.subjects}
        for line in run.lines
        if (line.artifact, line.region) == (subject.name, _FULL_FRAME)
    }
    times, powers = [], []
    for run in runs:
        for case in run.cases:
            if case.subject.manifest_sha256 != subject.manifest_sha256:
                continue
            threads = f"{case.threads} thread{'s' if case.threads > 1 else ''}"
            times.append(f"{case.stages.inference.p50_ms:.0f} {run.kind}, {threads}")
            if isinstance(run, EnergyRun) and isinstance(case, EnergyCase):
                loaded_w = case.energy.loaded_power_w
                powers += [] if loaded_w is None else [f"{loaded_w} {run.meter.kind}"]
    height, width = subject.input
    return (
        f"{subject.name} {width}x{height} (ours)",
        *(dice.get(one, "") for one in _SETS),
        f"{subject.multiply_adds / 1e9:.1f} counted",
        "",
        "; ".join(times),
        "; ".join(powers) or NO_METER,
    )
