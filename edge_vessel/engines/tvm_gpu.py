"""A GPU under TVM's runtime: its part of the runtime, and the way of a frame there and back."""

import ctypes
import math
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import ArtifactError, DeviceError

RUNTIME_FILES = {"cuda": "libtvm_runtime_cuda.so", "opencl": "libtvm_runtime_opencl.so"}
DEVICES = {"cuda": 2, "opencl": 4}  # DLPack's numbers
_CUDA_RUNTIME = "libcudart.so.13"


def load_cuda_runtime(folder: Path) -> None:
    """NVIDIA's runtime, of the system or of the package nvidia-cuda-runtime.

    Raises:
        ArtifactError: neither is there.
    """
    package = Path(sysconfig.get_path("purelib")) / "nvidia" / "cu13" / "lib" / _CUDA_RUNTIME
    for name in (_CUDA_RUNTIME, str(package)):
        try:
            ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return
    raise ArtifactError(
        f"{folder}: needs {_CUDA_RUNTIME}: install CUDA 13, or pip install nvidia-cuda-runtime"
    )


def _nothing() -> None:
    pass


class GpuMemory:
    """The image's place on the device, allocated once, and the copies; not thread-safe.

    Raises:
        DeviceError: the device gives no memory for the image.
    """

    def __init__(self, ffi: ModuleType, kind: str, shape: tuple[int, ...]) -> None:
        self._ffi = ffi
        self._copy = ffi.get_global_func("runtime.TVMTensorCopyFromTo")
        allocate = ffi.get_global_func("runtime.TVMTensorAllocWithScope")
        device = ffi.Device(DEVICES[kind], 0)
        try:
            self._image = allocate(ffi.Shape(shape), ffi.dtype("uint8"), device, None)
        except (RuntimeError, ValueError, MemoryError) as error:
            line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise DeviceError(
                f"the GPU gives no {math.prod(shape)} bytes for an image: {line}; end what else "
                "uses it, or use an artifact for the CPU"
            ) from error

    def run(
        self,
        main: Callable[[Any], Any],
        image: NDArray[np.uint8],
        mark: Callable[[], None] = _nothing,
    ) -> NDArray[np.float32]:
        """Copies the image there, runs, copies the map back and waits for it.

        `mark` is called before, between and after these three, such as to time them.
        """
        mark()
        self._copy(self._ffi.from_dlpack(image), self._image)
        mark()
        found = main(self._image)
        mark()
        values = np.empty(tuple(found.shape), np.float32)
        self._copy(found, self._ffi.from_dlpack(values))
        mark()
        return values
