"""A run of energy on the terminal, and what is to be said of it beside the figures."""

import sys
from collections.abc import Iterator

from bench import conditions, tables
from bench.joules import SHORTEST_S, Figure, Joules
from bench.published import LAIBACHER_2019
from bench.run_file import EnergyRun

_DRIFT_SHARE = 0.1  # of what the work adds; more, and the baseline decides the figure
_LEAST_DRIFT = 0.01  # of idle power; less is no board that has yet to settle
_WORKING_PERCENT = 95.0
_COLUMNS = (
    "inferences", "W idle", "drift W", "W loaded", "J per inference", "above idle", "per J",
)  # fmt: skip


def show(run: EnergyRun) -> None:
    """The table with the published row, the meter, the conditions."""
    meter = run.meter
    title = f"{run.conditions.machine.cpu}; power {meter.kind} by {meter.name}"
    table = tables.table(title, "case", *_COLUMNS, right=len(_COLUMNS))
    for case in run.cases:
        tables.add(table, case.title, *_cells(case.energy))
    table.add_section()
    paper = LAIBACHER_2019
    theirs = ("", f"{paper.idle_w:g}", "", f"{paper.loaded_w:g}", "", "", "")
    tables.add(table, f"{paper.source}, {paper.board} (published, not ours)", *theirs)
    tables.show(table)
    for case in run.cases:
        total = case.stages.total
        sys.stdout.write(
            f"{case.title}: {case.energy.loaded.duration_s:.0f} s of inference, median "
            f"{total.p50_ms:.2f} ms ({run.kind}), from photograph to vessel map\n"
        )
    sys.stdout.write(
        f"meter: accuracy {meter.accuracy}; asked at {meter.asked_hz:g} Hz; "
        f"{conditions.course(run.conditions)}\n"
    )


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
