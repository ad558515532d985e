"""`python -m edge_vessel.doctor`: what this board has, and whether the main job can run."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from edge_vessel.board import Board, read_board
from edge_vessel.command_line import (
    Parser,
    ResultConsole,
    add_meter_flag,
    add_model_flags,
    guarded,
    leave,
    printable,
)
from edge_vessel.diagnosis import Check, Wanted, diagnose
from edge_vessel.json_text import strict_json

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@dataclass(frozen=True)
class Report:
    """The document of `--json`. `exit_code` is the process's own."""

    exit_code: int
    checks: tuple[Check, ...]
    board: Board


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = Parser(
        prog="edge-vessel doctor",
        description="Shows what this board has and whether the main job can run on it.",
        epilog="Exit codes: 0 it can run, 2 usage, 3 the machine, 4 the artifact.",
    )
    add_model_flags(parse)
    add_meter_flag(parse)
    parse.add_argument("--json", action="store_true", help="one JSON document")
    return parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the report and returns its exit code."""
    options = parser().parse_args(arguments)
    wanted = Wanted(
        options.model,
        tuple(options.trusted_key),
        options.allow_unsigned,
        options.threads,
        options.meter,
    )
    return guarded(lambda: _report(wanted, options.json))


def _report(wanted: Wanted, as_json: bool) -> int:
    board = read_board()
    checks = tuple(diagnose(board, wanted))
    report = Report(max(check.exit_code for check in checks), checks, board)
    if as_json:
        sys.stdout.write(strict_json(report) + "\n")
    else:
        _print(report)
    return report.exit_code


def _print(report: Report) -> None:
    console = ResultConsole(highlight=False, soft_wrap=True)
    width = max(len(check.name) for check in report.checks)
    for check in report.checks:
        # A camera's name comes from its own firmware: nothing in it may steer the terminal.
        line = Text(f"{check.status:5}", style=_COLOURS[check.status])
        console.print(line.append(f"{check.name:{width}}  {printable(check.detail)}", "default"))
        if check.next_step:
            console.print(Text(f"{'':{width + 7}}-> {check.next_step}"))
    verdict = "the main job can run" if not report.exit_code else "the main job cannot run"
    console.print(Text(verdict))


if __name__ == "__main__":
    leave(main())
