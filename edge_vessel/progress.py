"""How far long work is, on a terminal."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Step = TypeVar("Step")


def shown(steps: Iterable[Step], what: str = "measuring") -> Iterable[Step]:
    """The steps, with a bar on stderr where that is a terminal; one without a length only moves."""
    console = Console(stderr=True)
    return track(steps, what, console=console, disable=not console.is_terminal)
