"""NVIDIA's library, simulated by a module in its place: no GPU is in the machines that test."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
from meter_trees import lay

from edge_vessel import meters
from edge_vessel.errors import DeviceError


class NVMLError(Exception):
    pass


@dataclass
class Gpu:
    power_mw: int = 60_000
    energy_mj: int | None = 1_000_000
    lost: bool = False


@dataclass
class Driver:
    """The state behind the functions of pynvml that the meter calls."""

    gpus: list[Gpu] = field(default_factory=lambda: [Gpu(), Gpu(power_mw=300_000)])
    name: str | bytes = "NVIDIA H100"
    works: bool = True
    opened: int = 0

    def init(self) -> None:
        if not self.works:
            raise NVMLError("Driver/library version mismatch")
        self.opened += 1

    def shutdown(self) -> None:
        self.opened -= 1

    def power(self, gpu: Gpu) -> int:
        if gpu.lost:
            raise NVMLError("GPU is lost")
        return gpu.power_mw

    def energy(self, gpu: Gpu) -> int:
        if gpu.energy_mj is None:
            raise NVMLError("Not Supported")
        gpu.energy_mj += 500
        return gpu.energy_mj


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    lay(tmp_path, {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64  580.0"})
    state = Driver()
    module = ModuleType("pynvml")
    functions = {
        "NVMLError": NVMLError,
        "nvmlInit": state.init,
        "nvmlShutdown": state.shutdown,
        "nvmlDeviceGetCount": lambda: len(state.gpus),
        "nvmlDeviceGetHandleByIndex": lambda index: state.gpus[index],
        "nvmlDeviceGetName": lambda _: state.name,
        "nvmlDeviceGetPowerUsage": state.power,
        "nvmlDeviceGetTotalEnergyConsumption": state.energy,
    }
    for name, function in functions.items():
        setattr(module, name, function)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return state


@pytest.mark.parametrize("name", ["NVIDIA H100", b"NVIDIA H100"])
def test_one_gpu(tmp_path: Path, driver: Driver, name: str | bytes) -> None:
    driver.name = name
    meter = meters.find("nvml:1", tmp_path)
    assert (meter.name, meter.kind) == ("NVML (GPU 1 of 2, NVIDIA H100)", "measured")
    assert meter.power_w() == 300.0
    first, second = meter.sample(), meter.sample()
    assert first.counted_j is not None and second.counted_j is not None
    assert second.counted_j - first.counted_j == pytest.approx(0.5)
    meter.close()
    meter.close()
    assert driver.opened == 0


def test_a_gpu_is_not_taken_for_the_board(tmp_path: Path, driver: Driver) -> None:
    assert meters.find("auto", tmp_path).kind == "none"
    assert meters.find("nvml", tmp_path).name.startswith("NVML (GPU 0 of 2")


def test_a_gpu_before_volta_has_no_counter(tmp_path: Path, driver: Driver) -> None:
    driver.gpus[0].energy_mj = None
    sample = meters.find("nvml", tmp_path).sample()
    assert (sample.power_w, sample.counted_j) == (60.0, None)


def test_a_gpu_that_is_lost(tmp_path: Path, driver: Driver) -> None:
    meter = meters.find("nvml", tmp_path)
    driver.gpus[0].lost = True
    with pytest.raises(DeviceError, match="NVML: GPU is lost; does nvidia-smi work"):
        meter.sample()


def test_what_is_missing_is_named(
    tmp_path: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeviceError, match="no GPU 5; there are 2, counted from 0"):
        meters.find("nvml:5", tmp_path)
    assert driver.opened == 0
    driver.works = False
    with pytest.raises(DeviceError, match="version mismatch; does nvidia-smi work"):
        meters.find("nvml", tmp_path)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(DeviceError, match="pip install nvidia-ml-py"):
        meters.find("nvml", tmp_path)
