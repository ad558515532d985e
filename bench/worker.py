"""The process that a case is measured in: its memory, threads and caches are its own.

Asked line by line for `seconds` or `runs`, answers with the samples of these; null ends it.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from edge_vessel.command_line import printable, say_error
from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError, kind_of

PATIENCE_S = 600.0  # above what was asked for; an emulated board loads for minutes
_SLOWER = 10.0  # than the first run no run is
_TAIL_BYTES = 2**14
_LONGEST_NAME = 100

Samples = list[tuple[float, ...]]


@dataclass(frozen=True)
class Task:
    """What a worker measures; plain enough to travel as JSON."""

    artifact: str
    trusted_keys: tuple[str, ...]
    allow_unsigned: bool
    threads: int
    cores: tuple[int, ...]
    image: str | None


@dataclass(frozen=True)
class Loaded:
    """What a worker says when it is ready, after the first inference."""

    load_ms: float
    first_inference_ms: float
    first_run_ms: float
    engine: str
    image: str
    image_size: tuple[int, int]


class Worker:
    """A running worker. Raises EdgeVesselError in the parent with what the child said."""

    def __init__(self, task: Task) -> None:
        command = [sys.executable, "-m", "bench.worker", json.dumps(asdict(task))]
        pipe = subprocess.PIPE
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would fill up unread
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self._said, text=True
        )
        try:
            answer = self._answer(PATIENCE_S)
        except BaseException:
            self.stop()
            raise
        self.loaded = Loaded(**{**answer, "image_size": tuple(answer["image_size"])})

    def run(self, *, seconds: float | None = None, runs: int | None = None) -> Samples:
        """Until one of both is reached; milliseconds by `run_file.STAGES`."""
        each_s = _SLOWER * self.loaded.first_run_ms / 1e3
        limit_s = PATIENCE_S + (runs or 1) * each_s if seconds is None else PATIENCE_S + seconds
        found = self._ask({"seconds": seconds, "runs": runs}, limit_s)
        return [tuple(one) for one in found["samples_ms"]]

    def end(self) -> float:
        """The peak of its resident memory, in MB."""
        peak = float(self._ask(None, PATIENCE_S)["peak_rss_mb"])
        self.stop()
        return peak

    def stop(self) -> None:
        """Ends it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._said):
            if file is not None:
                with contextlib.suppress(BrokenPipeError):
                    file.close()

    def _ask(self, wanted: dict[str, float | None] | None, limit_s: float) -> dict[str, Any]:
        with contextlib.suppress(BrokenPipeError):  # the answer says why
            print(json.dumps(wanted), file=self._process.stdin, flush=True)
        return self._answer(limit_s)

    def _answer(self, limit_s: float) -> dict[str, Any]:
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

    def _fault(self, limit_s: float | None) -> EdgeVesselError:
        code = self._process.wait()
        if limit_s is not None:
            return DeviceError(f"the measuring process gave no answer in {limit_s:.0f} s")
        if code < 0:
            return DeviceError(
                f"the measuring process was killed by signal {-code} (out of memory?)"
            )
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _TAIL_BYTES))
        said = self._said.read().decode(errors="replace").strip().splitlines()
        faults = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
        reason = [f"ended with exit code {code}", *said[-1:], *faults[-1:]][-1]
        return kind_of(code)(reason)


def main(arguments: Sequence[str]) -> int:
    """The child. What a library prints on stdout goes where stderr does: answers have their own."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    task = Task(**json.loads(arguments[0]))
    # Before any library starts its threads, which keep to the cores of the one that starts them.
    os.sched_setaffinity(0, task.cores)
    try:
        _serve(task, answers)
    except EdgeVesselError as error:
        say_error(error)
        return error.exit_code
    return 0


def _serve(task: Task, answers: TextIO) -> None:
    from edge_vessel import selftest, signing
    from edge_vessel.artifact import open_artifact
    from edge_vessel.segmenter import Segmenter
    from edge_vessel.sources.images import read_image

    path = Path(task.artifact)
    keys = signing.trusted_keys([Path(key) for key in task.trusted_keys])
    started = time.perf_counter()
    artifact = open_artifact(path, keys, task.allow_unsigned)
    segmenter = Segmenter(artifact, task.threads)
    load_ms = 1e3 * (time.perf_counter() - started)
    if task.image is None:
        size = artifact.manifest.input
        golden = artifact.read(selftest.GOLDEN)
        image = selftest.load_golden(golden, size.height, size.width, path).image
        name = "golden"
    else:
        image, name = read_image(Path(task.image)), printable(Path(task.image).name)[:_LONGEST_NAME]
    first = segmenter.segment(image)
    if first.status != "ok":
        raise UsageError(
            f"{task.image or path / selftest.GOLDEN}: no field of view found in it: give a "
            "photograph with --image"
        )
    engine = segmenter.engine
    _say(
        answers,
        load_ms=load_ms,
        first_inference_ms=first.inference_ms,
        first_run_ms=first.preprocess_ms + first.inference_ms + first.postprocess_ms,
        engine=f"{engine.name} {engine.version}",
        image=name,
        image_size=image.shape[:2],
    )
    for line in sys.stdin:
        wanted = json.loads(line)
        if wanted is None:
            break
        samples: Samples = []
        seconds, runs = (
            float("inf") if wanted[name] is None else wanted[name] for name in ("seconds", "runs")
        )
        until = time.perf_counter() + seconds
        while len(samples) < runs and (not samples or time.perf_counter() < until):
            one = segmenter.segment(image)
            samples.append((one.preprocess_ms, one.inference_ms, one.postprocess_ms))
        _say(answers, samples_ms=samples)
    _say(answers, peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _say(answers: TextIO, **facts: object) -> None:
    answers.write(json.dumps(facts) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
