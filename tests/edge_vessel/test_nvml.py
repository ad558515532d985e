"""NVIDIA's library, simulated by a module in its place: no GPU is in the machines that test."""

import sys
import time
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
    fault: str | None = None


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
        if gpu.fault is not None:
            raise NVMLError(gpu.fault)
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


@pytest.mark.parametrize(
    ("gpu", "says"),
    [
        (Gpu(fault="GPU is lost"), "NVML: GPU is lost; does nvidia-smi work"),
        (Gpu(fault="Insufficient Permissions"), "NVML: Insufficient Permissions; does nvidia-smi"),
        (Gpu(power_mw=10**9), "1e.06 W is no board's power"),
    ],
)
def test_a_gpu_that_says_nothing(tmp_path: Path, driver: Driver, gpu: Gpu, says: str) -> None:
    meter = meters.find("nvml", tmp_path)
    vars(driver.gpus[0]).update(vars(gpu))
    with pytest.raises(DeviceError, match=says):
        meter.sample()


def test_the_joules_of_a_gpu_are_its_counters(tmp_path: Path, driver: Driver) -> None:
    meter = meters.find("nvml", tmp_path)
    with meters.window("frames", meter, rate_hz=100, root=tmp_path) as window:
        while driver.gpus[0].energy_mj < 1_000_000 + 500 * (meters.MIN_SAMPLES + 1):
            time.sleep(0.01)
    # The counter goes half a joule with each question, whatever the 60 W say.
    assert window.energy.energy_j == pytest.approx(0.5 * (window.energy.samples - 1), abs=0.5)


def test_a_gpu_lost_in_a_window_costs_the_joules(tmp_path: Path, driver: Driver) -> None:
    meter = meters.find("nvml", tmp_path)
    with meters.window("frames", meter, rate_hz=100, root=tmp_path) as window:
        time.sleep(0.2)
        driver.gpus[0].fault = "GPU is lost"
        time.sleep(0.05)
    assert window.energy.energy_j is None
    assert "NVML: GPU is lost" in str(window.energy.why)


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
