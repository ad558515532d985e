"""TVM's runtime part for OpenCL: built for both machines, run for real by pocl on this CPU."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from artifact_folders import python
from native_artifacts import WEIGHTS, compile_for
from needs import unavailable

from compile import opencl_runtime
from compile.runtime_library import VERSION, runtime_library
from edge_vessel.accelerator import opencl_platforms
from edge_vessel.errors import UsageError

pytestmark = pytest.mark.slow

SIZE = 96
MACHINES = {"x86_64": 62, "aarch64": 183}

RUN = """
import json, sys, threading
from pathlib import Path
import numpy as np, onnxruntime
from edge_vessel import engines
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import EdgeVesselError
from edge_vessel.preprocessing import normalise
from edge_vessel.selftest import run_selftest
artifact = open_artifact(Path(sys.argv[1]), (), allow_unsigned=True)
try:
    artifact.check_target()
    engine = engines.create(artifact, 1)
except EdgeVesselError as error:
    sys.exit(f"{type(error).__name__}: {error}")
session = onnxruntime.InferenceSession(sys.argv[2], providers=["CPUExecutionProvider"])
side = artifact.manifest.input.height
images = np.random.default_rng(0).integers(0, 256, (4, side, side, 3), dtype=np.uint8)
images.setflags(write=False)
alone = [engine.run(image) for image in images]
peer = [session.run(None, {"image": normalise(image)[None]})[0][0, 0] for image in images]
found = [None] * 4
def work(i):
    for _ in range(5):
        found[i] = engine.run(images[i])
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(json.dumps({
    "apart": max(float(abs(a - b).max()) for a, b in zip(alone, peer)),
    "deviation": float(np.std(alone)),
    "together": max(float(abs(a - b).max()) for a, b in zip(alone, found)),
    "again": float(abs(engines.create(artifact, 1).run(images[0]) - alone[0]).max()),
    "selftest": run_selftest(artifact, threads=1).passed,
}))
"""
# Kernels as TVM's compiler writes them, each spoilt in one way, and more memory than there is.
SPOIL = """
import struct, sys
from pathlib import Path
from edge_vessel.engines import tvm_library
from edge_vessel.engines.tvm_gpu import GpuMemory
from edge_vessel.errors import EdgeVesselError
ffi = tvm_library.foreign_function_interface(sys.argv[1], Path())
for path in map(Path, sys.argv[2:]):
    tvm_library.load_runtime(path.read_bytes(), path)
def text(value): return struct.pack("<Q", len(value)) + value
def kernels(form=b"cl", tag=b"blockIdx.x", extra=0, source=b"__kernel void f(__global int* a) {}"):
    handle = struct.pack("<QBBH", 1, 3, 64, 1)
    return (text(form) + struct.pack("<Q", 1) + text(b"f") + text(b"f") + handle
            + struct.pack("<Q", 1) + text(tag) + struct.pack("<Qi", 1, extra) + text(source))
load = ffi.get_global_func("ffi.Module.load_from_bytes.opencl")
assert load(kernels())["f"] is not None
for spoilt in (b"", kernels()[:-9], kernels()[:60], b"\\xff" * 64, kernels(b"spirv"),
               kernels(tag=b"clusterCtaIdx.x"), kernels(tag=b"threadIdx.w"), kernels(extra=1),
               kernels(source=b"__kernel void g(__global int* a) {}"),
               kernels(source=b"__kernel void f(__global int* a) { *a = no_such_name; }")):
    try:
        load(spoilt)
        print("taken")
    except RuntimeError as error:
        print(str(error).strip().splitlines()[-1])
try:
    GpuMemory(ffi, "opencl", (1, 1 << 21, 1 << 21, 3))
except EdgeVesselError as error:
    print(f"{type(error).__name__}: {error}")
"""
SAID = (
    "OpenCL: the kernels end too early",
    "OpenCL: the kernels end too early",
    "OpenCL: the kernels end too early",
    "OpenCL: the kernels end too early",
    "OpenCL: kernels in spirv, not in OpenCL C",
    "OpenCL: cannot launch with clusterCtaIdx.x",
    "OpenCL: cannot launch with threadIdx.w",
    "OpenCL: an argument of a kind only CUDA has",
    "OpenCL: f failed with status -46",  # CL_INVALID_KERNEL_NAME
    "OpenCL: the driver cannot compile the kernels, status -11: ",
    "DeviceError: the GPU gives no 13194139533312 bytes for an image: ",
)


def library(architecture: str, folder: Path) -> Path:
    """libtvm_runtime_opencl.so in `folder`."""
    compiler = {"x86_64": "g++", "aarch64": "aarch64-linux-gnu-g++"}[architecture]
    if shutil.which(compiler) is None:
        unavailable(f"{compiler} is not installed")
    if not (opencl_runtime.HEADERS / "cl.h").exists():
        unavailable("apt install opencl-headers")
    path = folder / "libtvm_runtime_opencl.so"
    path.write_bytes(opencl_runtime.build(architecture))
    return path


@pytest.fixture(autouse=True)
def kernel_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are compiled anew, and pocl leaves nothing in the user's cache."""
    monkeypatch.setenv("POCL_CACHE_DIR", str(tmp_path / "pocl"))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if opencl_platforms() == 0:
        unavailable("apt install pocl-opencl-icd ocl-icd-libopencl1")
    return library("x86_64", tmp_path_factory.mktemp("runtime"))


@pytest.fixture(scope="module")
def artifact(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opencl") / "x86"
    done = compile_for("x86_64-opencl", folder, SIZE)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as torch exports it, before any rewrite."""
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    done = python(
        "-W", "ignore", "-m", "compile.export", WEIGHTS, "--size", str(SIZE), "-o", path
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_it_is_built_for_its_machine(architecture: str, tmp_path: Path) -> None:
    path = library(architecture, tmp_path)
    assert struct.unpack_from("<4s14xH", path.read_bytes()) == (b"\x7fELF", MACHINES[architecture])
    listed = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True)
    assert "soname: [libtvm_runtime_opencl.so]" in listed.stdout
    assert "[libtvm_runtime.so]" in listed.stdout
    assert "OpenCL.so" not in listed.stdout


def test_the_command_writes_it(tmp_path: Path) -> None:
    library("aarch64", tmp_path)
    path = tmp_path / "r.so"
    done = python("-m", "compile.opencl_runtime", "--target", "rk3399-mali", "-o", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}: {path.stat().st_size} bytes for aarch64-linux-gnu\n"
    done = python("-m", "compile.opencl_runtime", "--target", "rk3399", "-o", path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "target rk3399: has no OpenCL: x86_64-opencl, rk3399-mali" in done.stderr


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"'riscv64': one of x86_64, aarch64"):
        opencl_runtime.build("riscv64")
    headers = tmp_path / "CL"
    headers.mkdir()
    (headers / "cl.h").write_text("#error of another kind\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(opencl_runtime, "HEADERS", headers)
    with pytest.raises(UsageError, match=r"^aarch64-linux-gnu-g\+\+: .* apt install g\+\+-aarch64"):
        opencl_runtime.build("aarch64")
    monkeypatch.setattr(opencl_runtime, "HEADERS", tmp_path / "none")
    with pytest.raises(UsageError, match=r"cl\.h: not found: apt install opencl-headers"):
        opencl_runtime.build("x86_64")


def test_it_computes_what_onnx_runtime_computes(artifact: Path, onnx_file: Path) -> None:
    done = python("-c", RUN, artifact, onnx_file)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["apart"] <= 1e-4
    assert facts["deviation"] > 0.01
    assert facts["together"] == 0.0
    assert facts["again"] == 0.0
    assert facts["selftest"] is True


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        (
            "OCL_ICD_VENDORS",
            "/nonexistent",
            "needs a GPU with OpenCL; no libOpenCL.so.1 here finds",
        ),
        ("POCL_DEVICES", "none", "OpenCL: no device in 1 platform(s)"),
    ],
)
def test_without_a_device_it_is_refused(
    artifact: Path, variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    done = python("-c", RUN, artifact, "none.onnx")
    assert done.returncode == 1
    assert done.stderr.startswith("ArtifactError: ")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_spoilt_kernels_are_one_line(runtime: Path, tmp_path: Path) -> None:
    base = tmp_path / "libtvm_runtime.so"
    base.write_bytes(runtime_library("x86_64"))
    done = python("-c", SPOIL, VERSION, base, runtime)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(SAID)
    for line, said in zip(lines, SAID, strict=True):
        assert line.startswith(said)
