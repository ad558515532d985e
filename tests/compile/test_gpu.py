"""GPU targets: device code embedded without a GPU, and refusal where the GPU is not there."""

import ctypes
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from artifact_folders import python
from native_artifacts import compile_for
from onnx import TensorProto, helper, numpy_helper

from compile import cuda_toolkit
from compile.gpu_build import compile_gpu
from edge_vessel.accelerator import check_accelerator
from edge_vessel.errors import ArtifactError, UsageError

pytestmark = pytest.mark.slow

SIDE = 16
FATBIN = struct.pack("<I", 0xBA55ED50)
DEVICE_CODE = 2

# A driver that finds one GPU, or none (CUDA_ERROR_NO_DEVICE), as its API answers: just enough to
# pass the check before the load. It comes before the one that this machine may have.
DRIVER = """
int cuInit(unsigned flags) { return MAJOR ? 0 : 100; }
int cuDeviceGet(int *device, int ordinal) { *device = 0; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? MAJOR : MINOR;
    return 0;
}
"""
RUN = """
import sys
from pathlib import Path
from edge_vessel import engines
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import EdgeVesselError
artifact = open_artifact(Path(sys.argv[1]), (), allow_unsigned=True)
try:
    artifact.check_target()
    engines.create(artifact, 1)
except EdgeVesselError as error:
    print(f"{type(error).__name__}: {error}")
"""


def network() -> bytes:
    """Two convolutions and a sigmoid."""
    random = np.random.default_rng(0)
    weights = {
        "w": random.standard_normal((8, 3, 3, 3)),
        "v": random.standard_normal((1, 8, 1, 1)),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["a"], name="a", pads=[1] * 4),
            helper.make_node("Relu", ["a"], ["b"], name="b"),
            helper.make_node("Conv", ["b", "v"], ["c"], name="c"),
            helper.make_node("Sigmoid", ["c"], ["probability"], name="d"),
        ],
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [1, 1, SIDE, SIDE])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def architectures(library: bytes) -> set[tuple[int, int]]:
    """(kind, compute capability) of the first entry of every fat binary in a library."""
    found, at = set(), library.find(FATBIN)
    while at >= 0:
        header = struct.unpack_from("<H", library, at + 6)[0]
        kind = struct.unpack_from("<H", library, at + header)[0]
        found.add((kind, struct.unpack_from("<I", library, at + header + 28)[0]))
        at = library.find(FATBIN, at + 1)
    return found


@pytest.mark.parametrize(
    ("target", "capability", "machine"),
    [("cuda-sm90", 90, 62), ("cuda-sm86", 86, 62), ("jetson-orin", 87, 183)],
)
def test_cuda_code_is_compiled_for_its_device(target: str, capability: int, machine: int) -> None:
    library = compile_gpu(network(), target)
    assert struct.unpack_from("<H", library, 18)[0] == machine
    assert architectures(library) == {(DEVICE_CODE, capability)}
    assert b"__global__" not in library


def test_opencl_kernels_travel_as_source() -> None:
    library = compile_gpu(network(), "rk3399-mali")
    assert struct.unpack_from("<H", library, 18)[0] == 183
    assert b"__kernel void" in library


def test_without_a_compiler_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_HOME", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'edge-vessel\[cuda\]'"):
        cuda_toolkit.find(tmp_path)


def test_the_stand_in_knows_every_function_that_tvm_wants(tmp_path: Path) -> None:
    tvm = pytest.importorskip("tvm")
    runtime = Path(tvm.__file__).parent / "lib" / "libtvm_runtime_cuda.so"
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", runtime], capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[-1] for line in listed.splitlines()}
    wanted = {name for name in names if name.startswith("cu") and not name.startswith("cuda")}
    library = ctypes.CDLL(str(cuda_toolkit.stand_in(tmp_path)))
    assert wanted
    assert all(getattr(library, name)() != 0 for name in wanted)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu") / "sm90"
    done = compile_for("cuda-sm90", folder, 96)
    assert done.returncode == 0, done.stderr
    return folder


def refused(
    artifact: Path,
    folder: Path,
    capability: tuple[int, int] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """What the runtime says of it, with a driver that finds such a GPU, or none."""
    source, library = folder / "d.c", folder / "libcuda.so.1"
    source.write_text(DRIVER)
    major, minor = capability or (0, 0)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", f"-DMAJOR={major}", f"-DMINOR={minor}",
         "-Wl,-soname,libcuda.so.1", "-o", library, source],
        check=True,
    )  # fmt: skip
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    done = python("-c", RUN, artifact)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("capability", "says"),
    [
        (None, "needs an NVIDIA GPU (sm_90); no driver here finds one"),
        ((8, 7), "is built for an NVIDIA GPU sm_90; this machine has sm_87"),
        # The right GPU, but a driver that lacks what TVM's runtime wants: found out in one line.
        ((9, 0), "libtvm_runtime_cuda.so: cannot be loaded: "),
    ],
)
def test_refused_before_anything_is_loaded(
    artifact: Path,
    tmp_path: Path,
    capability: tuple[int, int] | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed = refused(artifact, tmp_path, capability, monkeypatch)
    assert printed.startswith("ArtifactError: ")
    assert says in printed
    assert len(printed.splitlines()) == 1


def test_without_opencl_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_vessel.accelerator.opencl_platforms", lambda: 0)
    with pytest.raises(ArtifactError, match=r"^a: needs a GPU with OpenCL"):
        check_accelerator("opencl", Path("a"))
