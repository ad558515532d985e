"""What `evaluate` prints of its evaluations."""

import sys
from collections.abc import Sequence

from rich.table import Table

from edge_vessel.biometrics import protected_table
from edge_vessel.biometrics.capture_conditions import Condition
from edge_vessel.biometrics.error_rates import Rate
from edge_vessel.biometrics.evaluation import Evaluation, Scores
from edge_vessel.biometrics.protected_evaluation import ProtectedEvaluation
from edge_vessel.command_line import ResultConsole

NOTE = (
    "Pairs share captures and people: the intervals take them as independent, so they are too "
    "narrow. Without errors the upper limit is the rule of three, 3 over the number of pairs."
)
_PIPE_WIDTH = 200


def write(evaluations: Sequence[Evaluation], protected: Sequence[ProtectedEvaluation]) -> None:
    """On stdout: tables, a line on each evaluation, and how far the intervals can be trusted."""
    table = Table(title="Comparison trials: errors / trials (95 % interval)")
    for name in ("data", "method", "threshold", "FMR", "FNMR", "EER", "mated", "non-mated", "gap"):
        table.add_column(name)
    for one in evaluations:
        for method in one.methods:
            table.add_row(one.kind, *_cells(method))
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    ResultConsole(width=width).print(table)
    for one in evaluations:
        _print_conditions(one, width)
        times = ", ".join(f"{each.method} {each.compare_ms:.1f} ms" for each in one.methods)
        enrol = one.failure_to_enrol
        sys.stdout.write(
            f"{one.kind}: {one.subjects} subjects; failure to acquire "
            f"{_rate(one.failure_to_acquire)}, to enrol "
            f"{'not tried' if enrol is None else _rate(enrol)}; the kiosk would have refused "
            f"{_refusals(one)}; template "
            f"{one.template_bytes:.0f} bytes, {one.information_bits:.0f} bits (medians); "
            f"a comparison: {times}\n"
        )
    sys.stdout.write(NOTE + "\n")
    if protected:
        protected_table.write(protected, width)


def _print_conditions(one: Evaluation, width: int | None) -> None:
    if not one.conditions:
        return
    table = Table(title=f"{one.kind}: mated pairs by how their captures differ")
    for name in ("differ in", "by", "FNMR", "lowest score", "median"):
        table.add_column(name)
    for each in one.conditions:
        table.add_row(
            each.by, _range(each), _rate(each.fnmr), f"{each.lowest:.2f}", f"{each.median:.2f}"
        )
    ResultConsole(width=width).print(table)


def _range(one: Condition) -> str:
    if one.low is None:
        return "not known"
    return f"over {one.low:g}" if one.high is None else f"{one.low:g} to {one.high:g}"


def _refusals(one: Evaluation) -> str:
    """By their hints."""
    return ", ".join(f"{each.captures} ({each.hint})" for each in one.refusals) or "none"


def _cells(method: Scores) -> list[str]:
    rates = method.rates
    return [
        method.method,
        f"{rates.threshold:.2f}",
        _rate(rates.fmr),
        _rate(rates.fnmr),
        f"{100 * rates.eer:.2f} %" if rates.gap <= 0 else "no errors",
        f"{min(method.mated):.2f} to {max(method.mated):.2f}",
        f"{min(method.non_mated):.2f} to {max(method.non_mated):.2f}",
        f"{rates.gap:.2f}",
    ]


def _rate(rate: Rate) -> str:
    return f"{rate.errors}/{rate.trials} ({_percent(rate.low)} to {_percent(rate.high)} %)"


def _percent(share: float) -> str:
    return "100" if share > 0.995 else f"{100 * share:.2g}"
