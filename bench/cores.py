"""Which cores a measurement is pinned to."""

import re

from edge_vessel.board import Board, Core
from edge_vessel.errors import UsageError


def choose_cores(text: str | None, board: Board, available: frozenset[int]) -> list[int]:
    """`big`, `little`, a list such as `4,5` or `0-3`, or None for all that the process may use.

    Raises:
        UsageError: the board has cores of one kind only, or the list names what is not there.
    """
    if text is None:
        return sorted(available)
    if text in ("big", "little"):
        return _cluster(text, [core for core in board.cores if core.index in available])
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if match is None:
            raise UsageError(f"--cores {text}: big, little, or numbers such as 4,5 or 0-3")
        first, last = int(match[1]), int(match[2] or match[1])
        found |= set(range(first, last + 1))
    if missing := sorted(found - available):
        raise UsageError(
            f"--cores {text}: core {missing[0]} is not one of this process's: "
            f"{', '.join(map(str, sorted(available)))}"
        )
    if not found:
        raise UsageError(f"--cores {text}: names no core")
    return sorted(found)


def _cluster(name: str, cores: list[Core]) -> list[int]:
    speeds = sorted({core.max_mhz for core in cores if core.max_mhz is not None})
    if len(speeds) < 2:
        raise UsageError(
            f"--cores {name}: this machine's cores are all alike; leave --cores out or name numbers"
        )
    speed = speeds[-1] if name == "big" else speeds[0]
    return [core.index for core in cores if core.max_mhz == speed]
