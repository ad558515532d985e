"""`python -m deploy bundle | push | board`."""

import sys

from deploy.board.commands import board
from deploy.bundle import bundle
from deploy.push import push
from edge_vessel.command_line import guarded, leave
from edge_vessel.errors import UsageError

COMMANDS = {"bundle": bundle, "push": push, "board": board}
_USAGE = f"usage: python -m deploy {{{','.join(COMMANDS)}}} ...\n"


def main(arguments: list[str]) -> int:
    """Runs one command; returns its exit code."""
    command, rest = (arguments[0] if arguments else ""), arguments[1:]
    if command not in COMMANDS:
        asked = command in ("-h", "--help")
        (sys.stdout if asked else sys.stderr).write(_USAGE)
        return 0 if asked else UsageError.exit_code
    return guarded(lambda: COMMANDS[command](rest))


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
