"""A process that measures for another: asked line by line in JSON, it answers line by line.

What is measured there has memory, threads and caches of its own.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from edge_vessel.command_line import say_error
from edge_vessel.errors import DeviceError, EdgeVesselError, kind_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PATIENCE_S = 600.0  # above what was asked for; an emulated board loads for minutes
_TAIL_BYTES = 2**14


class Child:
    """A running `python -m MODULE TASK`; what it says as an error is raised here, as its kind.

    Args:
        module: whose `main` calls `serve`.
        task: plain data; travels as JSON.
        name: of the process in messages.
    """

    def __init__(
        self, module: str, task: "DataclassInstance", name: str = "the measuring process"
    ) -> None:
        command = [sys.executable, "-m", module, json.dumps(asdict(task))]
        pipe = subprocess.PIPE
        self._name = name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would fill up unread
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self._said, text=True
        )

    def ask(self, wanted: object, limit_s: float) -> dict[str, Any]:
        """The answer to `wanted`, which is plain data.

        Raises:
            EdgeVesselError: the process ended, or gave no answer in time.
        """
        with contextlib.suppress(BrokenPipeError):  # the answer says why
            print(json.dumps(wanted), file=self._process.stdin, flush=True)
        return self.answer(limit_s)

    def answer(self, limit_s: float) -> dict[str, Any]:
        """Its next one, such as the first, which is not asked for. See `ask`."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(limit_s, give_up)
        timer.daemon = True  # an interrupt may come before it can be cancelled
        try:
            timer.start()
            line = self._process.stdout.readline() if self._process.stdout else ""
        finally:
            timer.cancel()
        if line.endswith("\n"):
            found: dict[str, Any] = json.loads(line)
            return found
        raise self._fault(limit_s if late.is_set() else None)

    def stop(self) -> None:
        """Ends it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._said):
            if file is not None:
                with contextlib.suppress(BrokenPipeError):
                    file.close()

    def _fault(self, limit_s: float | None) -> EdgeVesselError:
        code = self._process.wait()
        if limit_s is not None:
            return DeviceError(f"{self._name} gave no answer in {limit_s:.0f} s")
        if code < 0:
            return DeviceError(f"{self._name} was killed by signal {-code} (out of memory?)")
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _TAIL_BYTES))
        said = self._said.read().decode(errors="replace").strip().splitlines()
        faults = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
        reason = [f"{self._name} ended with exit code {code}", *said[-1:], *faults[-1:]][-1]
        return kind_of(code)(reason)


def serve(cores: tuple[int, ...], work: Callable[["Answers"], None]) -> int:
    """The child's side: its exit code.

    Args:
        cores: to keep to; set before any library starts its threads, which inherit it.
        work: answers what it reads on stdin.
    """
    # What a library prints on stdout goes where stderr does: answers have their own.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as file:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        os.sched_setaffinity(0, cores)
        try:
            work(Answers(file))
        except EdgeVesselError as error:
            say_error(error)
            return error.exit_code
    return 0


class Answers:
    """Where a child's answers go."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def say(self, **facts: object) -> None:
        """One answer."""
        self._file.write(json.dumps(facts) + "\n")
        self._file.flush()


def peak_rss_mb() -> float:
    """The peak of this process's resident memory, in MB.

    Not `getrusage`'s: that one starts at what the parent had when it started this process.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) / 1024
    raise DeviceError("/proc/self/status: has no VmHWM: the kernel counts no peak of memory")
