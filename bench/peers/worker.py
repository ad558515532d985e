"""The process of one engine: loads the network, leaves its map, then is timed.

Asked for `repetitions`, answers with the milliseconds of one inference, their mean; null ends it.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.child import PATIENCE_S, Answers, Child, peak_rss_mb, serve
from edge_vessel.errors import EdgeVesselError, UsageError

_WARM_UP = 3

Run = Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Task:
    """What is measured; plain enough to travel as JSON.

    Attributes:
        engine: of `PEERS`; None for an artifact's own.
        network: its file, or the artifact's folder.
        pixels: .npy, (H, W, 3) uint8, what the artifact's engine gets.
        output: .npy to write, (H, W) float32, probabilities.
    """

    engine: str | None
    network: str
    trusted_keys: tuple[str, ...]
    allow_unsigned: bool
    threads: int
    cores: tuple[int, ...]
    pixels: str
    output: str


class PeerWorker:
    """A running engine.

    Raises:
        EdgeVesselError: what the process said.
    """

    def __init__(self, task: Task, name: str) -> None:
        self._child = Child("bench.peers.worker", task, name)
        try:
            loaded = self._child.answer(PATIENCE_S)
            self.load_ms, self.version = float(loaded["load_ms"]), str(loaded["version"])
            self.map: NDArray[np.float32] = np.load(task.output, allow_pickle=False)
        except BaseException:
            self.stop()
            raise

    def run(self, repetitions: int) -> float:
        """Milliseconds of one inference, the mean of these."""
        return float(self._child.ask({"repetitions": repetitions}, PATIENCE_S)["ms"])

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
    pixels = np.load(task.pixels, allow_pickle=False)
    started = time.perf_counter()
    own = task.engine is None
    run, version = _own(task, pixels) if own else _peer(task, pixels)
    load_ms = 1e3 * (time.perf_counter() - started)
    for _ in range(_WARM_UP):
        found = run()
    if found.size != pixels.shape[0] * pixels.shape[1]:
        raise UsageError(f"gives {found.shape}, not a map of {pixels.shape[:2]}")
    np.save(task.output, np.asarray(found, np.float32).reshape(pixels.shape[:2]))
    answers.say(load_ms=load_ms, version=version)
    for line in sys.stdin:
        wanted = json.loads(line)
        if wanted is None:
            break
        started = time.perf_counter()
        for _ in range(wanted["repetitions"]):
            run()
        answers.say(ms=(time.perf_counter() - started) * 1e3 / wanted["repetitions"])
    answers.say(peak_rss_mb=peak_rss_mb())


def _own(task: Task, pixels: NDArray[np.uint8]) -> tuple[Run, str]:
    from edge_vessel import engines, signing
    from edge_vessel.artifact import open_artifact

    keys = signing.trusted_keys([Path(key) for key in task.trusted_keys])
    engine = engines.create(
        open_artifact(Path(task.network), keys, task.allow_unsigned), task.threads
    )
    return lambda: engine.run(pixels), f"{engine.name} {engine.version}"


def _peer(task: Task, pixels: NDArray[np.uint8]) -> tuple[Run, str]:
    from bench.peers.engines import PEERS
    from edge_vessel.preprocessing import normalise

    peer = PEERS[str(task.engine)]
    try:
        run = peer.start(Path(task.network), task.threads, normalise(pixels)[None])
    except EdgeVesselError:
        raise
    except Exception as error:  # the engines' exceptions share no base
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{task.engine} cannot load {Path(task.network).name}: {line}") from error
    return run, metadata.version(peer.package)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
