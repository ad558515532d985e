"""Under which conditions a figure was made, and whether they allow one."""

import platform
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import psutil

from bench.quantities import Count, Length, NotNegative, Real
from edge_vessel import __version__
from edge_vessel.board import Board, Core, read_board
from edge_vessel.errors import DeviceError

Kind = Literal["measured", "emulated"]
BUSY_PERCENT = 15.0  # of a core's time; more, and others shape the figures
COOL_C = 55.0
_BUSY_WINDOW_S = 1.0
_COOL_STEP_S = 2.0


@dataclass(frozen=True)
class Machine:
    """What does not change between two runs on one machine."""

    model: str
    cpu: str
    cores: Annotated[tuple[Core, ...], Length(1, 4096)]
    memory_mb: Count
    kernel: str
    os: str
    architecture: str


@dataclass(frozen=True)
class Versions:
    """Of what takes part on the board; the engine's own stands with the artifact."""

    edge_vessel: str
    python: str
    numpy: str
    opencv: str


@dataclass(frozen=True)
class Conditions:
    """Loads are as the kernel counts them. `busy_percent` is what others took before: of
    the time of the busiest core in use, or of all cores where that is more.

    Temperatures are the hottest sensor's, None without one; `throttle` is what slowed the processor
    at either end, `forced` whether a busy or hot machine was measured all the same.
    """

    machine: Machine
    governors: tuple[str, ...]
    load_before: NotNegative
    load_after: NotNegative
    busy_percent: NotNegative
    temperature_before_c: Real | None
    temperature_after_c: Real | None
    throttle: tuple[str, ...]
    waited_s: NotNegative
    forced: bool
    versions: Versions
    git_revision: str | None


def kind_of(board: Board) -> Kind:
    """QEMU's board for Arm has no clock of its own: what it takes says nothing of a real one."""
    return "emulated" if "linux,dummy-virt" in board.compatible else "measured"


def begin(
    force: bool,
    cooldown_s: float,
    board: Board,
    cores: Collection[int],
    read: Callable[[], Board] = read_board,
    busy: Callable[[], Sequence[float]] | None = None,
) -> Conditions:
    """Waits for a cool board, refuses a busy machine.

    Args:
        force: measures all the same; the conditions say so.
        cooldown_s: waits up to so long until the hottest sensor is below 55 °C.
        board: as `read` gave it.
        cores: that are to be used, by their indices.
        read: gives the board anew.
        busy: how much of each core's time is taken, in percent, in the order of the board's cores.

    Raises:
        DeviceError: the machine is busy or stays hot.
    """
    taken = (busy or _busy_percents)()
    used = [one for core, one in zip(board.cores, taken, strict=False) if core.index in cores]
    # Those beside the cores in use share memory, cache and heat with them.
    busy_percent = max([sum(taken) / len(taken), *used])
    if busy_percent > BUSY_PERCENT and not force:
        raise DeviceError(
            f"the machine is busy: others take {busy_percent:.0f} % of a core's time (load "
            f"{board.load_1min:.2f}); stop them, or measure all the same with --force"
        )
    waited_s, started_s = 0.0, time.monotonic()
    while board.hottest_c is not None and board.hottest_c >= COOL_C:
        if waited_s >= cooldown_s:
            if cooldown_s and not force:
                raise DeviceError(
                    f"still {board.hottest_c:.0f} °C after {cooldown_s:.0f} s: give it longer with "
                    "--cooldown, or measure all the same with --force"
                )
            break
        time.sleep(min(_COOL_STEP_S, cooldown_s - waited_s))
        waited_s = time.monotonic() - started_s
        board = read()
    return Conditions(
        machine=Machine(
            board.model,
            board.cpu,
            board.cores,
            board.memory_bytes // 2**20,
            board.kernel or "unknown",
            board.os or "unknown",
            platform.machine(),
        ),
        governors=tuple(sorted({core.governor for core in board.cores if core.governor})),
        load_before=board.load_1min,
        load_after=board.load_1min,
        busy_percent=round(busy_percent, 1),
        temperature_before_c=board.hottest_c,
        temperature_after_c=board.hottest_c,
        throttle=board.slowed,
        waited_s=round(waited_s, 1),
        forced=force,
        versions=Versions(__version__, platform.python_version(), np.__version__, cv2.__version__),
        git_revision=git_revision(),
    )


def end(before: Conditions, board: Board) -> Conditions:
    """The same with what is known at the end."""
    return replace(
        before,
        load_after=board.load_1min,
        temperature_after_c=board.hottest_c,
        throttle=tuple(dict.fromkeys((*before.throttle, *board.slowed))),
    )


def _busy_percents() -> list[float]:
    """Over a second in which this process sleeps; of cores that are online, as the board's are."""
    return psutil.cpu_percent(interval=_BUSY_WINDOW_S, percpu=True)


def git_revision() -> str | None:
    """None on a board, which has no checkout."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip()


def _heat(conditions: Conditions) -> str:
    """The hottest sensor's way."""
    before_c, after_c = conditions.temperature_before_c, conditions.temperature_after_c
    if before_c is None or after_c is None:
        return "no temperature sensor"
    return f"{before_c:.0f} to {after_c:.0f} °C"


def course(conditions: Conditions) -> str:
    """Load and heat on one line."""
    return (
        f"load {conditions.load_before:.2f} to {conditions.load_after:.2f}, others took "
        f"{conditions.busy_percent:.0f} % of a core before; {_heat(conditions)}"
    )


def warn(conditions: Conditions) -> None:
    """Says on stderr what shaped the figures."""
    if conditions.busy_percent > BUSY_PERCENT:
        sys.stderr.write(f"warning: others took {conditions.busy_percent:.0f} % of a core\n")
    if conditions.throttle:
        slowed = ", ".join(conditions.throttle)
        sys.stderr.write(f"warning: the processor was slowed: {slowed}\n")
