"""The process that a case is measured in.

Asked for `seconds` or `runs`, answers with the samples of these; null ends it.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.child import PATIENCE_S, Answers, Child, peak_rss_mb, serve

_SLOWER = 10.0  # than the first run no run is

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
    """What a worker says when it is ready, after the first inference. `patches` is how often the
    network runs for one input: once for a photograph."""

    load_ms: float
    first_inference_ms: float
    first_run_ms: float
    engine: str
    image: str
    image_size: tuple[int, int]
    patches: int


class Worker:
    """A running worker. Raises EdgeVesselError in the parent with what the child said."""

    def __init__(self, task: Task) -> None:
        self._child = Child("bench.worker", task)
        try:
            answer = self._child.answer(PATIENCE_S)
        except BaseException:
            self.stop()
            raise
        self.loaded = Loaded(**{**answer, "image_size": tuple(answer["image_size"])})

    def run(self, *, seconds: float | None = None, runs: int | None = None) -> Samples:
        """Until one of both is reached; milliseconds by `run_file.STAGES`."""
        each_s = _SLOWER * self.loaded.first_run_ms / 1e3
        limit_s = PATIENCE_S + (runs or 1) * each_s if seconds is None else PATIENCE_S + seconds
        found = self._child.ask({"seconds": seconds, "runs": runs}, limit_s)
        return [tuple(one) for one in found["samples_ms"]]

    def end(self) -> float:
        """The peak of its resident memory, in MB."""
        peak = float(self._child.ask(None, PATIENCE_S)["peak_rss_mb"])
        self.stop()
        return peak

    def stop(self) -> None:
        """Ends it, whatever it does."""
        self._child.stop()


def main(arguments: Sequence[str]) -> int:
    """The child."""
    task = Task(**json.loads(arguments[0]))
    return serve(task.cores, lambda answers: _work(task, answers))


def _work(task: Task, answers: Answers) -> None:
    from bench.timed_input import timed_input
    from edge_vessel import signing
    from edge_vessel.artifact import open_artifact

    path = Path(task.artifact)
    keys = signing.trusted_keys([Path(key) for key in task.trusted_keys])
    started = time.perf_counter()
    artifact = open_artifact(path, keys, task.allow_unsigned)
    prepare = timed_input(artifact, task.threads)
    load_ms = 1e3 * (time.perf_counter() - started)
    timed = prepare(None if task.image is None else Path(task.image))
    first = timed.run()
    answers.say(
        load_ms=load_ms,
        first_inference_ms=first.inference_ms,
        first_run_ms=first.preprocess_ms + first.inference_ms + first.postprocess_ms,
        engine=timed.engine,
        image=timed.name,
        image_size=timed.size,
        patches=timed.patches,
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
            one = timed.run()
            samples.append((one.preprocess_ms, one.inference_ms, one.postprocess_ms))
        answers.say(samples_ms=samples)
    answers.say(peak_rss_mb=peak_rss_mb())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
