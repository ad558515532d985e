"""What the values of bench's flags must look like: wrong ones end a command before it measures."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from edge_vessel.command_line import path

_MOST_S = 7 * 86_400.0
_LONGEST_NAME = 230  # bytes; ".samples.csv" and the affixes of a temporary file come on top


def number(low: float, high: float, what: str) -> Callable[[str], float]:
    """An argparse type: a number from `low` to `high`, which is `what`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: {what} from {low:g} to {high:g}")
        return value

    return parse


seconds = number(0.0, _MOST_S, "seconds")


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
