"""An artifact's whole inference as a program for QEMU, and whether it gave what it should."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tvm
import tvm_ffi

from compile.estimate import tools
from compile.runtime_library import VERSION, interface_library
from edge_vessel.artifact import Artifact
from edge_vessel.engines.tvm import MODEL_FILE
from edge_vessel.engines.tvm_library import RUNTIME_FILE
from edge_vessel.errors import ArtifactError, DeviceError
from edge_vessel.manifest import NONE
from edge_vessel.selftest import COARSE_TOLERANCE, GOLDEN, Golden, load_golden

_SOURCE = Path(__file__).with_suffix(".c")
_PROGRAM, _INPUT, _OUTPUT = "whole_inference", "photograph.raw", "probability.raw"
_LIBRARIES = "/usr/aarch64-linux-gnu"  # of Debian's cross compiler
_ARCHITECTURE = "aarch64"


def refuse(artifact: Artifact, cpu: str, features: Sequence[str]) -> None:
    """Raises ArtifactError for what is no native code of this core and this compiler."""
    target, engine = artifact.manifest.target, artifact.manifest.engine
    native = engine.name == "tvm" and target.accelerator == NONE
    if not native or target.triple.partition("-")[0] != _ARCHITECTURE:
        raise ArtifactError(
            f"{artifact.folder}: is for {engine.name} on {target.triple}, accelerator "
            f"{target.accelerator}; an estimate takes native code of an Arm CPU: python -m compile "
            "--target rk3399"
        )
    lacking = sorted(set(target.features) - set(features))
    if lacking:
        raise ArtifactError(f"{artifact.folder}: needs {', '.join(lacking)}, which no {cpu} has")
    if engine.version != VERSION:
        raise ArtifactError(
            f"{artifact.folder}: was compiled by {engine.version}, {VERSION} is installed; "
            "compile it again"
        )


def build(artifact: Artifact, folder: Path) -> list[str]:
    """QEMU's options, the program and its arguments; it runs in `folder`, on one thread.

    Raises:
        ArtifactError: a file is missing or was changed.
        UsageError: TVM's interface library for Arm could not be fetched.
        DeviceError: the program could not be linked.
    """
    size = artifact.fundus.input
    for name in (MODEL_FILE, RUNTIME_FILE):
        (folder / name).write_bytes(artifact.read(name, for_emulation=True))
    (folder / "libtvm_ffi.so").write_bytes(interface_library(_ARCHITECTURE))
    (folder / _INPUT).write_bytes(_golden(artifact).image.tobytes())
    headers = [tvm_ffi.libinfo.find_include_path(), tvm_ffi.libinfo.find_dlpack_include_path()]
    headers.append(str(Path(tvm.__file__).parent / "include"))
    link = ["-Wl,--no-as-needed,--allow-shlib-undefined,-rpath,$ORIGIN", "-L."]
    options = ["-O2", "-o", _PROGRAM, *(f"-I{one}" for one in headers)]
    libraries = ["-ltvm_runtime", "-ltvm_ffi"]
    tools.call(["aarch64-linux-gnu-gcc", *options, str(_SOURCE), *link, *libraries], folder)
    words = [f"./{MODEL_FILE}", str(size.height), str(size.width), _INPUT, _OUTPUT]
    return ["-L", _LIBRARIES, "-E", "TVM_NUM_THREADS=1", f"./{_PROGRAM}", *words]


def check_output(artifact: Artifact, folder: Path) -> None:
    """Raises DeviceError where the program's output is not the artifact's golden one."""
    expected = _golden(artifact).probability.astype(np.float32)
    found = np.fromfile(folder / _OUTPUT, np.float32)
    mean = np.abs(found - expected.ravel()).mean() if found.size == expected.size else np.inf
    if not mean <= COARSE_TOLERANCE:
        raise DeviceError(
            f"{artifact.folder}: emulated, its probabilities are {mean:g} from its {GOLDEN} in the "
            "mean; compile it again"
        )


def _golden(artifact: Artifact) -> Golden:
    size = artifact.fundus.input
    content = artifact.read(GOLDEN, for_emulation=True)
    return load_golden(content, size.height, size.width, artifact.folder / GOLDEN)
