"""Runs on the board: steps, each told in a line of steps.jsonl, up to the first that fails."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LONG_S = 300.0  # emulated: no healthy step takes as long


class UnexpectedError(Exception):
    """What a step had to see and did not."""


def tell(name: str, taken_s: float, details: list[str], fault: str | None = None) -> None:
    """Writes the line."""
    detail = "; ".join(details)
    record = {"name": name, "seconds": round(taken_s, 1), "detail": detail, "fault": fault}
    with Path("steps.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")


@contextmanager
def step(name: str) -> Iterator[list[str]]:
    """Times a step; what is put into the list stands beside it."""
    details: list[str] = []
    began_s, fault = time.monotonic(), None
    try:
        yield details
    except (
        UnexpectedError, OSError, ValueError, LookupError, StopIteration, subprocess.SubprocessError
    ) as error:  # fmt: skip
        fault = f"{type(error).__name__}: {error}"
    tell(name, time.monotonic() - began_s, details, fault)
    if fault is not None:
        sys.exit(1)


def expect(condition: object, what: str) -> None:
    """Ends the step where the condition does not hold."""
    if not condition:
        raise UnexpectedError(what[-1500:])


def until(condition: Callable[[], object], what: str) -> None:
    """Waits for it."""
    end_s = time.monotonic() + LONG_S
    while not condition():
        expect(time.monotonic() < end_s, f"{what} after {LONG_S:.0f} s")
        time.sleep(0.5)


def call(*command: str | Path, code: int = 0, says: str = "") -> str:
    """Runs a program whose exit code has to be `code`, and whose words `says`; its stdout."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    expect(done.returncode == code, f"{command[0]}: exit code {done.returncode}: {said}")
    expect(says in said, f"{command[0]}: does not say {says!r}: {said}")
    expect("Traceback" not in said, said)
    return done.stdout
