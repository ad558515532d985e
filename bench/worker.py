"""The process that a case is measured in: its memory, threads and caches are its own.

Asked line by line: `{"seconds": S}` or `{"runs": N}`; answers with the samples of these.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError


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
    engine: str
    image: str
    image_size: tuple[int, int]


class Worker:
    """A running worker. Raises EdgeVesselError in the parent with what the child said."""

    def __init__(self, task: Task) -> None:
        command = [sys.executable, "-m", "bench.worker", json.dumps(asdict(task))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        answer = self._answer()
        self.loaded = Loaded(**{**answer, "image_size": tuple(answer["image_size"])})

    def run(self, **wanted: float) -> list[tuple[float, ...]]:
        """Samples in milliseconds by `run_file.STAGES`; `seconds` or `runs` says how many."""
        self._ask(wanted)
        return [tuple(one) for one in self._answer()["samples_ms"]]

    def end(self) -> float:
        """The peak of its resident memory, in MB."""
        self._ask({})
        peak = float(self._answer()["peak_rss_mb"])
        self._process.wait()
        return peak

    def stop(self) -> None:
        """Ends it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _ask(self, wanted: dict[str, float]) -> None:
        try:
            print(json.dumps(wanted), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        said = self._process.stderr.read().strip().splitlines() if self._process.stderr else []
        code = self._process.wait()
        reason = said[-1].removeprefix("error: ") if said else f"ended with exit code {code}"
        if code < 0:
            reason = f"the measuring process was killed by signal {-code} (out of memory?)"
        raise next(
            (kind for kind in EdgeVesselError.__subclasses__() if kind.exit_code == code),
            DeviceError,
        )(reason)


def main(arguments: Sequence[str]) -> int:
    """The child."""
    task = Task(**json.loads(arguments[0]))
    # Before any library starts its threads, which keep to the cores of the one that starts them.
    os.sched_setaffinity(0, task.cores)
    try:
        _serve(task)
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _serve(task: Task) -> None:
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
        image, name = read_image(Path(task.image)), Path(task.image).name
    first = segmenter.segment(image)
    if first.status != "ok":
        raise UsageError(
            f"{task.image or path / selftest.GOLDEN}: no field of view found in it: give a "
            "photograph with --image"
        )
    engine = segmenter.engine
    _say(
        load_ms=load_ms,
        first_inference_ms=first.inference_ms,
        engine=f"{engine.name} {engine.version}",
        image=name,
        image_size=image.shape[:2],
    )
    for line in sys.stdin:
        wanted = json.loads(line)
        if not wanted:
            break
        samples: list[tuple[float, float, float]] = []
        until = time.perf_counter() + wanted.get("seconds", float("inf"))
        while len(samples) < wanted.get("runs", float("inf")) and (
            not samples or time.perf_counter() < until
        ):
            one = segmenter.segment(image)
            samples.append((one.preprocess_ms, one.inference_ms, one.postprocess_ms))
        _say(samples_ms=samples)
    _say(peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
