"""`python -m deploy board image | run | test`."""

import argparse
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

from deploy.board import image as images
from deploy.board import lifecycle
from deploy.board.boot import CORTEX_A72, Machine, run
from edge_vessel.command_line import Parser, output, path, whole_number
from edge_vessel.errors import UsageError

_CPUS = ("cortex-a53", CORTEX_A72, "cortex-a76")
_MOST_CORES = 8
_DAY_S = 86400


def board(arguments: list[str]) -> int:
    """Runs one of the three.

    Raises:
        UsageError: an option, or a program that is missing here.
        DeviceError: the board could not be made or booted, or `test` has found a fault.
    """
    options = _parser().parse_args(arguments)
    # As with Ctrl-C: no temporary folder is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    code: int = options.do(options)
    return code


def _image(options: argparse.Namespace) -> int:
    began_s = time.monotonic()
    made = images.prepare(options.image)
    size_mb = sum(file.stat().st_blocks for file in made.folder.iterdir()) * 512 / 1e6
    taken_s = time.monotonic() - began_s
    sys.stdout.write(f"{made.folder}: {size_mb:.0f} MB on the disk, {taken_s:.0f} s\n")
    return 0


def _run(options: argparse.Namespace) -> int:
    if options.share is not None and not options.share.is_dir():
        raise UsageError(f"{options.share}: no such folder: make it")
    image = images.prepare(options.image)
    machine = Machine(options.cpu, options.cores, systemd=options.systemd)
    command = options.command[0] if len(options.command) == 1 else shlex.join(options.command)
    with tempfile.TemporaryDirectory() as empty:
        share = options.share or Path(empty)
        outcome = run(image, command, share, options.timeout, machine, options.source)
    sys.stdout.write(outcome.output)
    return 0 if outcome.exit_code is None else outcome.exit_code


def _test(options: argparse.Namespace) -> int:
    if (options.eye is None) != (options.label is None):
        raise UsageError("--eye and --label go together")
    given = lifecycle.Given(options.bundle, options.eye, options.label)
    return lifecycle.test(images.prepare(options.image), given, options.output, options.json)


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m deploy board", description="The emulated Cortex-A72 board.")
    commands = parse.add_subparsers(required=True, metavar="image | run | test")
    image = commands.add_parser("image", help="make kernel, initramfs and disk, once")
    image.set_defaults(do=_image)
    start = commands.add_parser("run", help="boot, run a command, switch off")
    start.set_defaults(do=_run)
    test = commands.add_parser("test", help="install, segment, update, cut the power")
    test.set_defaults(do=_test)
    _add_run_flags(start)
    _add_test_flags(test)
    for command, flags in (
        (image, ("-o", "--output")),
        (start, ("--image",)),
        (test, ("--image",)),
    ):
        command.add_argument(
            *flags, dest="image", type=path, default=images.default_folder(), metavar="FOLDER",
            help="of the images (default: %(default)s)",
        )  # fmt: skip
    return parse


def _add_run_flags(parse: argparse.ArgumentParser) -> None:
    parse.add_argument("--cpu", choices=_CPUS, default=CORTEX_A72)
    parse.add_argument("--cores", type=whole_number(1, _MOST_CORES), default=2, metavar="N")
    parse.add_argument("--share", type=path, metavar="DIR", help="the command's working folder")
    parse.add_argument("--source", type=path, metavar="DIR", help="to be read, at /mnt/ro")
    parse.add_argument("--systemd", action="store_true", help="is process 1; it boots longer")
    parse.add_argument(
        "--timeout", type=whole_number(1, _DAY_S), default=600, metavar="S", help="(default 600)"
    )
    parse.add_argument("command", nargs="+", metavar="-- CMD", help="for bash, as root")


def _add_test_flags(parse: argparse.ArgumentParser) -> None:
    parse.add_argument(
        "--bundle", type=path, metavar="FILE", help="for aarch64; default: one is made of HEAD"
    )
    parse.add_argument("--eye", type=path, metavar="FILE", help="a photograph of a fundus")
    parse.add_argument("--label", type=path, metavar="FILE", help="its vessels, above 0")
    parse.add_argument(
        "-o", "--output", type=output, metavar="FILE", help="where the JSON report is written"
    )
    parse.add_argument("--json", action="store_true", help="the report on stdout, no table")
