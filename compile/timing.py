"""Times of a compiled network on this machine, by operator and against ONNX Runtime."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import tvm
from tvm import relax

from compile.rewrite.camera_bytes import with_camera_bytes
from edge_vessel.engines import cores

_ROUNDS = 5
_SHARE_THESE_CORES = -3  # of runtime.config_threadpool


@dataclass(frozen=True)
class Comparison:
    """Medians of interleaved rounds, in milliseconds."""

    ours_ms: float
    onnxruntime_ms: float
    threads: int

    @property
    def ratio(self) -> float:
        """Below 1 where ours is faster."""
        return self.ours_ms / self.onnxruntime_ms


class Timed:
    """A compiled network on this machine: random bytes in, times out.

    Args:
        executable: TVM's, for this machine.
        height, width: of the network's input in pixels.
        threads: worker threads.
    """

    def __init__(self, executable: Any, height: int, width: int, threads: int) -> None:
        self._threads = min(threads, len(cores.available()))
        chosen = [str(core) for core in cores.fastest(self._threads)]
        configure = tvm.get_global_func("runtime.config_threadpool")
        configure(_SHARE_THESE_CORES, len(chosen), chosen)
        random = np.random.default_rng(0)
        self._bytes = random.integers(0, 256, (1, height, width, 3), np.uint8)
        self._image = tvm.runtime.tensor(self._bytes)
        self._machine = relax.VirtualMachine(executable, tvm.cpu())
        self._run: Callable[[Any], Any] = self._machine["main"]

    def by_operator(self) -> dict[str, float]:
        """Milliseconds of each TIR function, its calls in one inference together; medians."""
        rounds: list[dict[str, float]] = []
        begun: dict[str, float] = {}

        def watch(_: Any, name: str, before: bool, *__: Any) -> None:
            if before:
                begun[name] = time.perf_counter()
            else:
                spent = 1e3 * (time.perf_counter() - begun[name])
                rounds[-1][name] = rounds[-1].get(name, 0.0) + spent

        self._run(self._image)
        self._machine.set_instrument(watch)
        for _ in range(_ROUNDS):
            rounds.append({})
            self._run(self._image)
        return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}

    def against_onnxruntime(self, content: bytes) -> Comparison:
        """Interleaved with the same network (ONNX, float32 input) in ONNX Runtime."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        session = onnxruntime.InferenceSession(
            with_camera_bytes(content), options, providers=["CPUExecutionProvider"]
        )
        feed = {session.get_inputs()[0].name: self._bytes}
        ours, theirs = [], []
        for _ in range(_ROUNDS + 1):
            ours.append(_milliseconds(lambda: self._run(self._image)))
            theirs.append(_milliseconds(lambda: session.run(None, feed)))
        return Comparison(statistics.median(ours[1:]), statistics.median(theirs[1:]), self._threads)


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)
