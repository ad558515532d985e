"""A frame on a device: OpenCL's on the processor, CUDA's events by a runtime that counts."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
from artifact_folders import called, python, write
from native_artifacts import compile_for
from needs import unavailable
from stored import stored
from window_meter import serving

from bench import trace
from bench.__main__ import main
from bench.gpu_file import GpuRun
from edge_vessel.accelerator import device_name, opencl_platforms
from edge_vessel.sources.images import read_image

# Events as CUDA's runtime API has them; the "device" is a clock that goes 2 ms at each event.
RUNTIME = """
static float now; static float at[16]; static int made, failing;
void fail_now(void) { failing = 700; }
int cudaEventCreate(void **event) { *event = (void *)&at[made++]; return 0; }
int cudaEventRecord(void *event, void *stream) {
    if (stream) return 1;
    *(float *)event = now += 2; return failing;
}
int cudaEventSynchronize(void *event) { return event ? 0 : 1; }
int cudaEventElapsedTime(float *ms, void *start, void *end) {
    *ms = *(float *)end - *(float *)start; return 0;
}
"""
EVENTS = """
import ctypes, sys
runtime = ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
from bench.gpu_clock import CudaEvents
from edge_vessel.errors import DeviceError
clock = CudaEvents()
for _ in range(2):
    for _ in range(4):
        clock.mark()
    print(clock.times_ms())
runtime.fail_now()
try:
    clock.mark()
except DeviceError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_frame_on_opencl_step_by_step(tmp_path: Path) -> None:
    if opencl_platforms() == 0:
        unavailable("apt install pocl-opencl-icd ocl-icd-libopencl1")
    assert compile_for("x86_64-opencl", tmp_path / "cl", 32).returncode == 0
    output = tmp_path / "gpu.json"
    done = python(
        "-m", "bench", "gpu", tmp_path / "cl", "--allow-unsigned", "--force", "--duration", "0.5",
        "--warmup", "0", "--output", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = stored(output)
    assert isinstance(run, GpuRun)
    steps = run.stages
    assert steps.frame.p50_ms > steps.network.p50_ms > steps.to_device.p50_ms
    assert run.device == f"opencl, {device_name('opencl')}"
    assert "unknown" not in run.device
    assert run.energy is None
    assert "no meter" in done.stdout
    assert len((tmp_path / "gpu.json.samples.csv").read_text().splitlines()) == (
        1 + steps.frame.count
    )
    assert run.trace is None
    assert "network alone" in python("-m", "bench", "report", output).stdout

    with serving(lambda _, count: 7.0) as url:
        done = python(
            "-m", "bench", "gpu", tmp_path / "cl", "--allow-unsigned", "--force", "--duration",
            "6", "--idle", "0.5", "--warmup", "0", "--output", output, "--meter", url,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = stored(output)
    assert isinstance(run, GpuRun)
    assert run.energy is not None
    assert run.energy.loaded_power_w is not None
    assert run.energy.loaded_power_w.value == pytest.approx(7.0)
    assert "7 W loaded" in done.stdout
    assert "measured, short windows" in done.stdout
    readings = trace.read(output, run.trace)
    assert list(dict.fromkeys(one.window for one in readings)) == [
        "idle before", "frames", "idle after",
    ]  # fmt: skip
    assert {one.power_w for one in readings} == {7.0}
    drawn = tmp_path / "gpu.png"
    assert called(main, "report", output, "--png", drawn).returncode == 0
    assert np.ptp(read_image(drawn)) == 255


def test_cuda_events_are_recorded_in_the_default_stream(tmp_path: Path) -> None:
    (tmp_path / "runtime.c").write_text(RUNTIME)
    library = tmp_path / "libcudart.so.13"
    build = ["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "runtime.c"]
    subprocess.run(build, check=True)
    assert ctypes.CDLL(str(library)).cudaEventRecord(None, 1) == 1
    done = python("-c", EVENTS, library)
    assert done.stdout.splitlines() == [
        "[2.0, 2.0, 2.0]",
        "[2.0, 2.0, 2.0]",
        "cudaEventRecord failed with CUDA error 700; does nvidia-smi work?",
    ], done.stderr


def test_an_artifact_for_the_processor_is_refused(tmp_path: Path) -> None:
    done = python("-m", "bench", "gpu", write(tmp_path / "tiny"), "--allow-unsigned")
    assert done.returncode == 2
    assert "is for the CPU: measure it with bench latency" in done.stderr
