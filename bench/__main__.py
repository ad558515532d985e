"""`python -m bench COMMAND`: every figure that the project publishes, with its conditions."""

import sys
from collections.abc import Callable
from importlib import import_module

from edge_vessel.command_line import guarded, leave
from edge_vessel.errors import UsageError

COMMANDS = {
    "latency": "how long an artifact takes on this machine, in percentiles",
    "estimate": "what one inference costs on a core that is not here",
    "accuracy": "what the device gives on a data set, stage by stage",
    "energy": "watts and joules per inference, by a power meter",
    "peers": "one network in other engines, side by side: ratios with their interval",
    "gpu": "a frame on a GPU, with its copies and without",
    "repeatability": "biomarkers of one eye from capture to capture, against those of others",
    "matching": "one eye against one and against 10,000, on one core",
    "presentation": "which simulated streams of a kiosk are refused",
    "sweep": "one network at several input sizes: cost and memory a megapixel",
    "report": "runs as a table, Markdown, HTML and pictures",
    "compare": "two runs: the ratio with its interval; 1 on a regression only",
}
# What a board has not: deploy bundles bench/ alone.
_WORKSTATION = ("train", "compile")


def main(arguments: list[str]) -> int:
    """Runs one command; imports no more than it needs."""
    return guarded(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    command, rest = (arguments[0] if arguments else ""), arguments[1:]
    if command not in COMMANDS:
        asked = command in ("-h", "--help")
        (sys.stdout if asked else sys.stderr).write(_usage())
        return 0 if asked else UsageError.exit_code
    try:
        run: Callable[[list[str]], int] = getattr(import_module(f"bench.{command}"), command)
        return run(rest)
    except ModuleNotFoundError as error:
        if error.name in _WORKSTATION:
            raise UsageError(
                f"bench {command} needs {error.name}/, which is not here: run it from a checkout, "
                "on the workstation"
            ) from error
        if (error.name or "").partition(".")[0] in ("bench", "train", "compile", "edge_vessel"):
            raise
        raise UsageError(
            f"{error.name} is missing: pip install -e '.[train,compile,bench]'"
        ) from error


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = (f"  {name:<{width}}  {what}\n" for name, what in COMMANDS.items())
    return f"usage: python -m bench COMMAND ...\n{''.join(lines)}"


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
