"""TVM's runtime, on the CPU or a GPU: compiled code, no compiler."""

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_vessel.artifact import Artifact
from edge_vessel.engines import tvm_library
from edge_vessel.engines.tvm_gpu import DEVICES, RUNTIME_FILES, GpuMemory, load_cuda_runtime
from edge_vessel.errors import ArtifactError, DeviceError, UsageError
from edge_vessel.manifest import NONE

MODEL_FILE = "model.so"


class TvmEngine:
    """Runs `model.so`: the camera's bytes (1, H, W, 3) in, probabilities (1, 1, H, W) out.

    The artifact carries the runtime that it was compiled with; of the package it needs tvm_ffi
    alone. The memory of the maps was planned by the compiler and is allocated once.
    """

    name = "tvm"

    def __init__(self, artifact: Artifact, threads: int) -> None:
        self.version = artifact.manifest.engine.version
        self.threads = threads
        self._input = artifact.fundus.input
        if (self._input.dtype, self._input.layout) != ("uint8", "NHWC"):
            raise ArtifactError(
                f"{artifact.folder}: the TVM engine takes uint8 NHWC, the manifest says "
                f"{self._input.dtype} {self._input.layout}; compile it again"
            )
        self._ffi = tvm_library.foreign_function_interface(self.version, artifact.folder)
        runtime = tvm_library.RUNTIME_FILE
        tvm_library.load_runtime(artifact.read(runtime), artifact.folder / runtime)
        kind = artifact.manifest.target.accelerator.partition(":")[0]
        self._gpu: GpuMemory | None = None
        if kind != NONE:
            self._load_gpu_runtime(artifact, kind)
        self._main, self._set_workers = tvm_library.load_model(
            self._ffi,
            artifact.read(MODEL_FILE),
            artifact.folder / MODEL_FILE,
            DEVICES.get(kind),
        )
        if kind != NONE:
            self._gpu = GpuMemory(self._ffi, kind, (1, self._input.height, self._input.width, 3))
        self._lock = threading.Lock()
        self._configured = threading.local()

    def _load_gpu_runtime(self, artifact: Artifact, kind: str) -> None:
        """The runtime's part for the GPU, which comes after the runtime itself."""
        name = RUNTIME_FILES[kind]
        if all(record.name != name for record in artifact.manifest.files):
            raise ArtifactError(
                f"{artifact.folder}: holds no {name}; compile it again with --gpu-runtime FILE"
            )
        if kind == "cuda":
            load_cuda_runtime(artifact.folder)
        tvm_library.load_runtime(artifact.read(name), artifact.folder / name)

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.run`."""
        return self._guarded(image, self._infer)

    def run_marked(self, image: NDArray[np.uint8], mark: Callable[[], None]) -> NDArray[np.float32]:
        """As `run`, of a GPU's artifact; see `GpuMemory.run` for `mark`.

        Raises:
            UsageError: the artifact is for the CPU.
        """
        gpu = self._gpu
        if gpu is None:
            raise UsageError("the artifact is for the CPU: nothing is copied to a GPU")
        return self._guarded(image, lambda batch: gpu.run(self._main, batch, mark))

    def _guarded(
        self,
        image: NDArray[np.uint8],
        infer: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        # TVM keeps a pool of workers for each calling thread.
        if not getattr(self._configured, "done", False):
            self._set_workers(self.threads)
            self._configured.done = True
        # DLPack hands out neither read-only nor strided memory.
        plain = image.flags.c_contiguous and image.flags.writeable
        batch = (image if plain else image.copy(order="C"))[None]
        try:
            with self._lock:
                output = infer(batch)
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise DeviceError(f"TVM's runtime failed: {line}") from error
        probability: NDArray[np.float32] = output[0, 0]
        return probability

    def _infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._gpu is not None:
            return self._gpu.run(self._main, batch)
        found = np.from_dlpack(self._main(self._ffi.from_dlpack(batch)))
        return np.asarray(found, np.float32)
