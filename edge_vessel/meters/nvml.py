"""One NVIDIA GPU, through NVIDIA's management library (pip install nvidia-ml-py).

NVML API reference, "Device Queries": power in milliwatts, averaged over a second from Ampere on;
total energy in millijoules since the driver was loaded, from Volta on. It covers the GPU's own
card, not the board that it sits on.
"""

import contextlib
import importlib
import time
from pathlib import Path
from typing import Any

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters.base import Kind, Meter, Sample, plausible_w

_MILLI = 1e-3


class NvmlMeter(Meter):
    """Power, and where there is one the energy counter, of one GPU."""

    kind: Kind = "measured"
    # Of Fermi and Kepler 5 %; for what came after NVIDIA publishes none.
    accuracy = "not known; covers the GPU, not the board"
    # The card renews its figures every 20 to 100 ms.
    rate_hz = 10.0

    def __init__(self, index: int = 0) -> None:
        """Takes the GPU's number as NVML counts (by PCI address, as nvidia-smi).

        Raises:
            DeviceError: nvidia-ml-py is missing, the driver does not answer, or has no such GPU.
        """
        try:
            # Without types of its own, and there on few machines.
            self._nvml: Any = importlib.import_module("pynvml")
        except ImportError as error:
            raise DeviceError("NVML: pynvml is missing; pip install nvidia-ml-py") from error
        self._open = False
        try:
            self._nvml.nvmlInit()
            self._open = True
            self._take(index)
        except self._nvml.NVMLError as error:
            self.close()
            raise self._fault(error) from error
        except DeviceError:
            self.close()
            raise

    def _take(self, index: int) -> None:
        count = self._nvml.nvmlDeviceGetCount()
        if index >= count:
            raise DeviceError(f"NVML: no GPU {index}; there are {count}, counted from 0")
        self._gpu = self._nvml.nvmlDeviceGetHandleByIndex(index)
        name = self._nvml.nvmlDeviceGetName(self._gpu)
        # bytes before nvidia-ml-py 11.5.
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        self.name = f"NVML (GPU {index} of {count}, {text})"
        self._counts = self._has_counter()

    def sample(self) -> Sample:
        """See `Meter.sample`."""
        before_s = time.monotonic()
        counted_j = None
        try:
            power_w = self._nvml.nvmlDeviceGetPowerUsage(self._gpu) * _MILLI
            if self._counts:
                counted_j = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._gpu) * _MILLI
        except self._nvml.NVMLError as error:
            raise self._fault(error) from error
        at_s = (before_s + time.monotonic()) / 2
        return Sample(at_s, plausible_w(power_w, self.name), counted_j)

    def close(self) -> None:
        """See `Meter.close`; NVML counts who has opened it."""
        if self._open:
            self._open = False
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _has_counter(self) -> bool:
        try:
            self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._gpu)
        except self._nvml.NVMLError:
            return False
        return True

    def _fault(self, error: Exception) -> DeviceError:
        return DeviceError(f"NVML: {error}; does nvidia-smi work?")


def find(root: Path, part: str = "") -> NvmlMeter | None:
    """GPU number `part` (0 without one); None where no NVIDIA driver is loaded.

    Raises:
        UsageError: `part` is no number.
        DeviceError: see `NvmlMeter`.
    """
    if part and not (part.isascii() and part.isdecimal()):
        raise UsageError(f"--meter nvml:{part}: a GPU's number, such as nvml:0")
    if not (root / "proc/driver/nvidia/version").exists():
        return None
    return NvmlMeter(int(part or 0))
