"""A run of energy as a table, and what is to be said of it beside the figures."""

import sys
from collections.abc import Iterator

from bench import conditions, tables
from bench.joules import SHORTEST_S, Figure, Joules
from bench.published import LAIBACHER_2019
from bench.run_file import EnergyRun
from bench.section import Section

_DRIFT_SHARE = 0.1  # of what the work adds; more, and the baseline decides the figure
_LEAST_DRIFT = 0.01  # of idle power; less is no board that has yet to settle
_WORKING_PERCENT = 95.0
_COLUMNS = (
    "input", "kind", "inferences", "W idle", "drift W", "W loaded", "J per inference", "above idle",
    "per J",
)  # fmt: skip


def section(run: EnergyRun) -> Section:
    """A row a case, below them the published one; then the times, and the meter."""
    meter, paper = run.meter, LAIBACHER_2019
    rows = []
    for case in run.cases:
        height, width = case.subject.input
        rows.append((case.title, f"{width}x{height}", meter.kind, *_cells(case.energy)))
    theirs = ("", f"{paper.idle_w:g}", "", f"{paper.loaded_w:g}", "", "", "")
    title = f"{paper.source}, {paper.board} (published, not ours)"
    rows.append((title, "", "published", *theirs))
    remarks = [
        f"{case.title}: {case.energy.loaded.duration_s:.0f} s of inference, median "
        f"{case.stages.total.p50_ms:.2f} ms ({run.kind}), from photograph to vessel map"
        for case in run.cases
    ]
    remarks.append(f"meter: accuracy {meter.accuracy}; asked at {meter.asked_hz:g} Hz")
    return Section(
        f"{run.conditions.machine.cpu}; power {meter.kind} by {meter.name}",
        ("case", *_COLUMNS),
        tuple(rows),
        tuple(remarks),
    )


def show(run: EnergyRun) -> None:
    """On stdout, with the conditions."""
    tables.show_section(section(run), right=len(_COLUMNS))
    sys.stdout.write(f"{conditions.course(run.conditions)}\n")


def warn(run: EnergyRun) -> None:
    """Says on stderr why joules are missing, and what makes them weaker than they look."""
    for case in run.cases:
        for remark in remarks(case.energy):
            sys.stderr.write(f"note: {case.title}: {remark}\n")
    if run.kind == "emulated":
        sys.stderr.write("note: the board is emulated: its joules are not those of a real one\n")


def remarks(energy: Joules) -> Iterator[str]:
    """Of one case, a line each."""
    if energy.why is not None:
        lacks = "no joules" if energy.per_inference_j is None else "nothing above idle"
        yield f"{lacks}: {energy.why}"
    if energy.short:
        windows = (energy.idle_before, energy.loaded, energy.idle_after)
        shortest_s = min(window.duration_s for window in windows)
        yield f"short windows, {shortest_s:.1f} s; {SHORTEST_S:.0f} s or more stand for a figure"
    if energy.idle_drift_w is not None and energy.loaded_power_w and energy.idle_power_w:
        added_w = energy.loaded_power_w.value - energy.idle_power_w.value
        least_w = _LEAST_DRIFT * abs(energy.idle_power_w.value)
        if abs(energy.idle_drift_w) > max(least_w, _DRIFT_SHARE * abs(added_w)):
            yield (
                f"idle power drifted by {energy.idle_drift_w:+.3g} W, the work adds {added_w:.3g} "
                "W; let the board settle, and measure again"
            )
    above = energy.above_idle_per_inference_j
    if above is not None and above.uncertainty and abs(above.value) <= above.uncertainty:
        yield "what inference adds to idle is within the meter's error"
    if energy.working_percent < _WORKING_PERCENT:
        yield f"inference filled {energy.working_percent:.0f} % of its window"


def _cells(energy: Joules) -> list[str]:
    drift_w = energy.idle_drift_w
    return [
        str(energy.inferences),
        _text(energy.idle_power_w),
        "-" if drift_w is None else f"{drift_w:+.3f}",
        _text(energy.loaded_power_w),
        _text(energy.per_inference_j),
        _text(energy.above_idle_per_inference_j),
        _text(energy.inferences_per_j),
    ]


def _text(figure: Figure | None) -> str:
    return "-" if figure is None else str(figure)
