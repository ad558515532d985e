"""`edge-vessel audit`: verify, restart."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict

from edge_vessel.biometrics.audit import MAX_FILE_BYTES, Audit
from edge_vessel.biometrics.audit_verify import Verification, verify
from edge_vessel.biometrics.store_flags import add_store_flags, opened
from edge_vessel.bounded_read import read_regular
from edge_vessel.command_line import Parser, guarded, path
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.json_text import strict_json

_SHOWN_FAULTS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, or that of the error tree."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: options.command(options) or 0)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="edge-vessel audit", description="The audit file of a kiosk.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("verify", help="is every line there, unchanged and in its place?")
    check.add_argument(
        "file", type=path, nargs="?", metavar="FILE", help="a copy (default: the store's own)"
    )
    check.add_argument("--json", action="store_true", help="one JSON document on stdout")
    check.set_defaults(command=_verify)
    restart = commands.add_parser("restart", help="move the file aside and go on in a new one")
    restart.set_defaults(command=_restart)
    for command in (check, restart):
        add_store_flags(command)
    return parser


def _verify(options: argparse.Namespace) -> None:
    copy = None
    if options.file is not None:
        copy = read_regular(options.file, MAX_FILE_BYTES, UsageError)
    with opened(options) as store:
        audit = Audit(store)
        head, content = audit.snapshot()
        found = verify(content if copy is None else copy, head, audit.key)
    file = options.file or audit.path
    if options.json:
        sys.stdout.write(strict_json({"file": str(file), **asdict(found)}) + "\n")
    elif not found.faults:
        sys.stdout.write(f"{file}: {found.lines} lines, all in their place{_ending(found)}\n")
    if found.faults:
        shown = ", ".join(str(fault) for fault in found.faults[:_SHOWN_FAULTS])
        more = len(found.faults) - _SHOWN_FAULTS
        shown += f" and {more} more" if more > 0 else ""
        raise DeviceError(f"{file}: {shown}; keep the file, then: audit restart")


def _ending(found: Verification) -> str:
    ending = f"; {found.unanchored} more not acknowledged" if found.unanchored else ""
    ending += "; a torn one at the end" if found.torn else ""
    return f"{ending} (a power cut): the next append repairs it" if ending else ""


def _restart(options: argparse.Namespace) -> None:
    with opened(options) as store:
        audit = Audit(store)
        aside = audit.restart()
    sys.stdout.write(f"{audit.path}: goes on; the lines before are in {aside}\n")
