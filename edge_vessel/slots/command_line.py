"""`edge-vessel slots`: status, install, confirm, revert."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from edge_vessel import models
from edge_vessel.command_line import (
    Parser,
    add_trust_flags,
    guarded,
    leave,
    path,
    printable,
    seconds,
    whole_number,
)
from edge_vessel.errors import UsageError
from edge_vessel.json_text import strict_json
from edge_vessel.slots import state as states
from edge_vessel.slots.install import TRIAL_STARTS, Rules, install
from edge_vessel.slots.layout import Layout, add_slots_flag
from edge_vessel.slots.opening import Trust, open_slot
from edge_vessel.slots.state import MAX_STARTS, State
from edge_vessel.slots.trial_run import SelfTestLimits

_DEFAULTS = SelfTestLimits()
_MAX_MEMORY_MB = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, or that of the error tree."""
    options = _parser().parse_args(arguments)
    layout = Layout(options.slots)
    os.umask(0o022)  # the service's user has to read what root installs

    def command() -> int:
        _print(layout, options.command(layout, options), options.json)
        return 0

    return guarded(command)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="edge-vessel slots", description="The artifacts that a board runs.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="what runs, and what a revert goes back to")
    status.set_defaults(command=lambda layout, _: states.read(layout))
    into = commands.add_parser("install", help="prove an artifact and put it on trial")
    into.set_defaults(command=_install)
    confirm = commands.add_parser("confirm", help="end the trial of the active slot")
    confirm.set_defaults(command=_confirm)
    revert = commands.add_parser("revert", help="go back to the release before")
    revert.set_defaults(command=_revert)
    into.add_argument(
        "path",
        type=lambda text: models.resolve(path(text)),
        metavar="PATH",
        help=f"the artifact's folder, or a bundled one: {', '.join(models.PINNED)}",
    )
    into.add_argument(
        "--allow-downgrade", action="store_true", help="accept an older version than ran here"
    )
    into.add_argument(
        "--trial-starts",
        type=whole_number(1, MAX_STARTS),
        default=TRIAL_STARTS,
        metavar="N",
        help=f"starts without confirmation until it is reverted (default {TRIAL_STARTS})",
    )
    into.add_argument(
        "--selftest-timeout",
        type=seconds,
        default=_DEFAULTS.timeout_s,
        metavar="S",
        help=f"for the golden self-test (default {_DEFAULTS.timeout_s:g})",
    )
    into.add_argument(
        "--selftest-memory-mb",
        type=whole_number(1, _MAX_MEMORY_MB),
        default=_DEFAULTS.memory_mb,
        metavar="MB",
        help=f"for the golden self-test (default {_DEFAULTS.memory_mb})",
    )
    for command in (into, revert):
        add_trust_flags(command)
    for command in (status, into, confirm, revert):
        add_slots_flag(command)
        command.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser


def _install(layout: Layout, options: argparse.Namespace) -> State:
    trust = _trust(options)
    source = trust.open(options.path)
    if source.warning is not None:
        sys.stderr.write(f"warning: {printable(source.warning)}\n")
    limits = SelfTestLimits(options.selftest_memory_mb, options.selftest_timeout)
    rules = Rules(options.allow_downgrade, options.trial_starts, limits)
    return install(layout, source, trust, rules)


def _confirm(layout: Layout, _: argparse.Namespace) -> State:
    if states.read(layout).active is None:
        raise UsageError(f"{layout.root}: no slot is active: edge-vessel slots install PATH")
    return states.change(layout, State.confirmed)


def _revert(layout: Layout, options: argparse.Namespace) -> State:
    """A damaged fallback is not gone back to: better what runs than what does not."""
    state = states.read(layout)
    if state.active is None:
        raise UsageError(f"{layout.root}: no slot is active: there is nothing to go back from")
    if state.fallback is not None:
        open_slot(layout, state.fallback, _trust(options))
    return states.change(layout, lambda now: now.given_up("edge-vessel slots revert"))


def _trust(options: argparse.Namespace) -> Trust:
    return Trust(tuple(options.trusted_key), options.allow_unsigned)


def _print(layout: Layout, state: State, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(strict_json({"slots": str(layout.root), **asdict(state)}) + "\n")
        return
    phase = (
        "confirmed" if state.starts_left is None else f"on trial, {state.starts_left} starts left"
    )
    bundled = f"the bundled artifact, {models.DEFAULT_MODEL}"
    lines = [f"active    {bundled if state.active is None else f'{state.active}, {phase}'}"]
    if state.active is not None:
        lines.append(f"fallback  {state.fallback or bundled}")
    if state.reverted is not None:
        gone = state.reverted
        lines.append(f"reverted  {gone.release} at {gone.time}: {gone.reason}")
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))


if __name__ == "__main__":
    leave(main())
