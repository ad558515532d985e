"""What the values of bench's flags must look like: wrong ones end a command before it measures."""

import argparse
from collections.abc import Callable

from edge_vessel.command_line import output

_MOST_S = 7 * 86_400.0


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

__all__ = ["number", "output", "seconds"]
