"""When the steps of a frame on a GPU began and ended."""

import ctypes
import time
from itertools import pairwise
from types import ModuleType
from typing import Protocol

from edge_vessel.engines.tvm_gpu import DEVICES
from edge_vessel.errors import DeviceError

MARKS = 4
"""Before the copy to the device, before and after the network, after the copy back."""


class GpuClock(Protocol):
    """Marks points in a frame's way, in order; then says how long it was between them."""

    name: str

    def mark(self) -> None:
        """Here."""

    def times_ms(self) -> list[float]:
        """Milliseconds between the marks since the last call, which it forgets.

        Raises:
            DeviceError: the device failed.
        """


class CudaEvents:
    """Events in the stream that TVM uses, the default one: the device's own clock.

    CUDA runtime API, "Event Management": a resolution of around half a microsecond.
    """

    name = "CUDA events"

    def __init__(self) -> None:
        """Takes the runtime that the engine has loaded; no other one would know its stream."""
        self._runtime = ctypes.CDLL(None)
        self._events = [ctypes.c_void_p() for _ in range(MARKS)]
        for event in self._events:
            self._call("cudaEventCreate", ctypes.byref(event))
        self._next = 0

    def mark(self) -> None:
        """See `GpuClock.mark`."""
        self._call("cudaEventRecord", self._events[self._next], None)
        self._next += 1

    def times_ms(self) -> list[float]:
        """See `GpuClock.times_ms`."""
        used, self._next = self._events[: self._next], 0
        self._call("cudaEventSynchronize", used[-1])
        found = []
        for start, end in pairwise(used):
            elapsed = ctypes.c_float()
            self._call("cudaEventElapsedTime", ctypes.byref(elapsed), start, end)
            found.append(float(elapsed.value))
        return found

    def _call(self, name: str, *arguments: object) -> None:
        try:
            code = getattr(self._runtime, name)(*arguments)
        except AttributeError as error:
            raise DeviceError("CUDA's runtime is not loaded: no event can be made") from error
        if code:
            raise DeviceError(f"{name} failed with CUDA error {code}; does nvidia-smi work?")


class WaitingClock:
    """The processor's clock, once the device has done all that was asked of it.

    The waiting is in the times: where a step takes microseconds, most of what is told.
    """

    def __init__(self, ffi: ModuleType, kind: str) -> None:
        self.name = f"processor's clock, waiting for {kind} at each step"
        self._wait = ffi.get_global_func("runtime.Device_StreamSync")
        self._device = ffi.Device(DEVICES[kind], 0)
        self._marks_s: list[float] = []

    def mark(self) -> None:
        """See `GpuClock.mark`."""
        try:
            self._wait(self._device, 0)
        except (RuntimeError, ValueError) as error:
            raise DeviceError(f"the GPU failed: {error}") from error
        self._marks_s.append(time.perf_counter())

    def times_ms(self) -> list[float]:
        """See `GpuClock.times_ms`."""
        marks_s, self._marks_s = self._marks_s, []
        return [1e3 * (end - start) for start, end in pairwise(marks_s)]
