"""`python -m bench compare A.json B.json`: how B's inference stands to A's, case by case."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass

from bench import flags, tables
from bench.run_file import Run, read, read_inference
from bench.samples import Ratio, ratio
from edge_vessel.command_line import Parser, path, printable
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
    """0; 1 where a case has become slower, and for nothing else.

    Raises:
        UsageError: a file is no run, the machines differ, or the runs have no case in common,
            or too few samples for an interval.
    """
    options = _parser().parse_args(arguments)
    before, after = read(options.before), read(options.after)
    if not options.across_machines:
        _refuse_other_machine(options, before, after)
    changes = _changes(options, before, after)
    if options.json:
        document = [asdict(change) for change in changes]
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        _print(changes, options)
    return REGRESSION if any(change.regression for change in changes) else 0


def _changes(options: argparse.Namespace, before: Run, after: Run) -> list[Change]:
    times_ms = read_inference(options.before, before)
    old = {case.key: (case, one) for case, one in zip(before.cases, times_ms, strict=True)}
    found = []
    for case, ours_ms in zip(after.cases, read_inference(options.after, after), strict=True):
        if case.key not in old:
            sys.stderr.write(f"note: {printable(str(options.before))}: has no case {case.title}\n")
            continue
        was, theirs_ms = old[case.key]
        if was.cores != case.cores and not options.across_machines:
            raise UsageError(
                f"{options.after}: {case.title}: in {options.before} it ran on other cores, "
                f"{','.join(map(str, was.cores))}; add --across-machines"
            )
        try:
            one = ratio(ours_ms, theirs_ms)
        except UsageError as error:
            raise UsageError(f"{options.before}, {options.after}: {case.title}: {error}") from error
        found.append(Change(case.title, one, one.low > 1.0 + options.tolerance))
    if not found:
        raise UsageError(f"{options.before}, {options.after}: no case in common")
    return found


def _refuse_other_machine(options: argparse.Namespace, before: Run, after: Run) -> None:
    for name in _SAME:
        was, now = (getattr(one.conditions.machine, name) for one in (before, after))
        if was != now:
            raise UsageError(
                f"{options.after}: another machine: {name} {now!r}, not {was!r} as in "
                f"{options.before}; add --across-machines"
            )
    if before.kind != after.kind:
        raise UsageError(
            f"{options.after}: is {after.kind}, {options.before} {before.kind}: they do not "
            "compare; add --across-machines"
        )


def _print(changes: list[Change], options: argparse.Namespace) -> None:
    title = f"{options.after.name} over {options.before.name}: median inference"
    table = tables.table(title, "case", "ratio (95 % interval)", "")
    for change in changes:
        word = "slower" if change.regression else ("faster" if change.ratio.high < 1 else "")
        tables.add(table, change.title, str(change.ratio), word)
    tables.show(table)


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench compare", description=__doc__)
    parse.add_argument("before", type=path, metavar="A.json")
    parse.add_argument("after", type=path, metavar="B.json")
    parse.add_argument(
        "--tolerance",
        type=flags.number(0.0, 10.0, "a share"),
        default=0.05,
        metavar="SHARE",
        help="default: 0.05",
    )
    parse.add_argument("--across-machines", action="store_true")
    parse.add_argument("--json", action="store_true")
    return parse
