"""`python -m bench compare A.json B.json`: how B's inference stands to A's, case by case."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.run_file import StoredRun, read
from bench.samples import Ratio, ratio
from edge_vessel.errors import UsageError

REGRESSION = 1  # exit code
_SAME = ("model", "cpu", "architecture")


@dataclass(frozen=True)
class Change:
    """Of one case: B's median over A's; a regression where even the interval's low end is above
    1 + tolerance."""

    title: str
    ratio: Ratio
    regression: bool


def compare(arguments: list[str]) -> int:
    """0; 1 where a case has become slower.

    Raises:
        UsageError: a file is no run, the machines differ, or the runs have no case in common.
    """
    options = _parser().parse_args(arguments)
    if not 0 <= options.tolerance < 10:
        raise UsageError(f"--tolerance {options.tolerance}: a share such as 0.05")
    before, after = read(options.before), read(options.after)
    if not options.across_machines:
        _refuse_other_machine(before, after)
    changes = _changes(before, after, options.tolerance)
    if options.json:
        document = [asdict(change) for change in changes]
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        _print(changes, options)
    return REGRESSION if any(change.regression for change in changes) else 0


def _changes(before: StoredRun, after: StoredRun, tolerance: float) -> list[Change]:
    old = {case.title: case for case in before.cases}
    found = []
    for case in after.cases:
        if case.title in old:
            one = ratio(case.inference_ms, old[case.title].inference_ms)
            found.append(Change(case.title, one, one.low > 1.0 + tolerance))
        else:
            sys.stderr.write(f"note: {before.path}: has no case {case.title!r}\n")
    if not found:
        raise UsageError(f"{before.path}, {after.path}: no case in common")
    return found


def _refuse_other_machine(before: StoredRun, after: StoredRun) -> None:
    for name in _SAME:
        if before.machine[name] != after.machine[name]:
            raise UsageError(
                f"{after.path}: another machine: {name} {after.machine[name]!r}, not "
                f"{before.machine[name]!r} as in {before.path}; add --across-machines"
            )
    if before.kind != after.kind:
        raise UsageError(
            f"{after.path}: is {after.kind}, {before.path} {before.kind}: they do not compare; "
            "add --across-machines"
        )


def _print(changes: list[Change], options: argparse.Namespace) -> None:
    table = Table(title=f"{options.after.name} over {options.before.name}: median inference")
    for name in ("case", "ratio (95 % interval)", ""):
        table.add_column(name)
    for change in changes:
        word = "slower" if change.regression else ("faster" if change.ratio.high < 1 else "")
        table.add_row(change.title, str(change.ratio), word)
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parse.add_argument("before", type=Path, metavar="A.json")
    parse.add_argument("after", type=Path, metavar="B.json")
    parse.add_argument(
        "--tolerance", type=float, default=0.05, metavar="SHARE", help="default: 0.05"
    )
    parse.add_argument("--across-machines", action="store_true")
    parse.add_argument("--json", action="store_true")
    return parse
