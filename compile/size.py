"""The size of a network's input."""

import argparse
import re
from typing import NamedTuple


class Size(NamedTuple):
    """In pixels; prints as height x width, which is how `--size` takes it."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


def square(side: int) -> Size:
    """Both sides of `side` pixels."""
    return Size(side, side)


def parse_size(text: str) -> Size:
    """For argparse: "544" or "2336x3504", height first."""
    sides = text.lower().split("x")
    whole = all(re.fullmatch("[0-9]{1,4}", side) and 0 < int(side) <= 8192 for side in sides)
    if len(sides) > 2 or not whole:
        raise argparse.ArgumentTypeError(f"{text!r}: such as 544, or 2336x3504 (height x width)")
    return Size(int(sides[0]), int(sides[-1]))
