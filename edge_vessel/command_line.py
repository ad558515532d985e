"""What every command has in common: how it ends, and the flags that mean the same everywhere."""

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from edge_vessel import abandonable, models
from edge_vessel.errors import DeviceError, EdgeVesselError

MAX_THREADS = 1024
_LONGEST_NAME = 230  # bytes; ".samples.csv" and the affixes of a temporary file come on top
_INTERRUPTED = 130  # 128 + SIGINT, as shells count


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, instead of the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """Ends the process with 2."""
        self.exit(2, f"error: {printable(message)} ({self.prog} --help)\n")


class ResultConsole(Console):
    """Tables on stdout. rich would end the process with 1 where the reader has left."""

    def on_broken_pipe(self) -> None:
        """Leaves it to `guarded`."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def guarded(command: Callable[[], int]) -> int:
    """Runs a command; a foreseeable fault becomes one line on stderr and its exit code.

    A reader of stdout that has left (head, less) is no fault; a full disk behind stdout is.
    """
    try:
        code = command()
        sys.stdout.flush()
    except EdgeVesselError as error:
        say_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        if error.filename is not None:  # not stdout's: what a file's own reader should have said
            say_error(f"{error.filename}: {error.strerror}")
            return DeviceError.exit_code
        # The interpreter flushes stdout once more at its exit, and must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0
        sys.stderr.write(f"error: stdout: cannot be written: {error.strerror}\n")
        return DeviceError.exit_code
    return code


def say_error(error: object) -> None:
    """One line on stderr, whatever the text holds."""
    sys.stderr.write(f"error: {printable(str(error))}\n")


def printable(text: str) -> str:
    """Escapes what could steer a terminal or tear a line: file and camera names may hold it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def leave(code: int) -> NoReturn:
    """Ends the process of a command. A thread that hangs in a driver is not waited for, as the
    interpreter's own way out would crash in it."""
    if abandonable.any_left():
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def path(text: str) -> Path:
    """An argparse type: a path, not the empty text of a variable that was not set."""
    if not text:
        raise argparse.ArgumentTypeError("empty: name a path")
    return Path(text)


def output(text: str) -> Path:
    """An argparse type: a file that can be written, new or in the place of another."""
    named = path(text)
    if not named.parent.is_dir():
        fault = "no such folder"
    elif named.is_dir():
        fault = "is a folder: name a file"
    elif named.exists() and not named.is_file():
        fault = "is not a regular file: name another"
    elif not os.access(named.parent, os.W_OK):
        fault = "its folder cannot be written"
    elif not named.name.isprintable() or len(os.fsencode(named.name)) > _LONGEST_NAME:
        fault = f"name it with at most {_LONGEST_NAME} printable characters"
    else:
        return named
    raise argparse.ArgumentTypeError(f"{text}: {fault}")


def add_trust_flags(parser: argparse.ArgumentParser) -> None:
    """`--trusted-key FILE`, repeatable, and `--allow-unsigned`."""
    parser.add_argument(
        "--trusted-key",
        type=path,
        action="append",
        default=[],
        metavar="FILE",
        help="a public key to trust besides those of the device; repeatable",
    )
    parser.add_argument(
        "--allow-unsigned", action="store_true", help="accept what no trusted key signed"
    )


_MODELS = f"an artifact's folder, or a bundled one: {', '.join(models.PINNED)} (default: the first)"


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """`--model PATH`, the flags of its trust, and `--threads N`."""
    parser.add_argument("--model", type=path, metavar="PATH", help=_MODELS)
    add_trust_flags(parser)
    add_threads_flag(parser)


def add_threads_flag(parser: argparse.ArgumentParser) -> None:
    """`--threads N`."""
    parser.add_argument(
        "--threads",
        type=whole_number(1, MAX_THREADS),
        metavar="N",
        help="of the engine (default: the artifact's own)",
    )


def add_meter_flag(parser: argparse.ArgumentParser) -> None:
    """`--meter SPEC`, which `meters.find` understands."""
    parser.add_argument(
        "--meter",
        default="auto",
        metavar="SPEC",
        help="power meter: auto, none, hwmon, pmic, power_supply, powercap, nvml, "
        "serial:DEVICE, http://ADDRESS/PATH (default auto)",
    )


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `low` to `high`."""

    def parse(text: str) -> int:
        number = int(text) if text.isascii() and text.isdecimal() else -1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number from {low} to {high}")
        return number

    return parse


def seconds(text: str) -> float:
    """An argparse type: a finite duration, not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: seconds, not negative")
    return value
