"""NVIDIA's compiler on a machine that needs no GPU: where nvcc is, and a stand-in for the driver.

TVM embeds device code only where its CUDA runtime loads, which wants the driver's library.
Compiling calls none of its functions, so a library that fails in each of them is enough.
"""

import ctypes
import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import UsageError

INSTALL = "pip install 'edge-vessel[cuda]'"
_DRIVER = "libcuda.so.1"
_RUNTIME = "libcudart.so.13"
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
_DRIVER_FUNCTIONS = (
    "cuDeviceGetName", "cuFuncSetAttribute", "cuGetErrorName", "cuGetErrorString",
    "cuLaunchKernelEx", "cuModuleGetFunction", "cuModuleLoadData", "cuModuleUnload",
    "cuTensorMapEncodeTiled",
)  # fmt: skip


@dataclass(frozen=True)
class Toolkit:
    """A CUDA 13 toolkit: its root and the runtime library that TVM was built with."""

    root: Path
    runtime: Path


def find(packages: Path | None = None) -> Toolkit:
    """The toolkit of the extra `cuda`, else the one of CUDA_HOME or of nvcc on the PATH.

    Args:
        packages: site-packages to look in; this Python's when None.

    Raises:
        UsageError: there is none of CUDA 13.
    """
    packages = packages or Path(sysconfig.get_path("purelib"))
    roots = [packages / "nvidia" / "cu13"]
    if home := os.environ.get("CUDA_HOME"):
        roots.append(Path(home))
    if nvcc := shutil.which("nvcc"):
        roots.append(Path(nvcc).resolve().parents[1])
    for root in roots:
        runtime = next(
            (root / d / _RUNTIME for d in ("lib", "lib64") if (root / d / _RUNTIME).exists()), None
        )
        if runtime is not None and (root / "bin" / "nvcc").exists():
            return Toolkit(root, runtime)
    raise UsageError(f"no nvcc of CUDA 13 here: {INSTALL}")


def prepare(toolkit: Toolkit, folder: Path) -> None:
    """Makes this process one in which TVM, imported afterwards, embeds device code.

    Args:
        folder: for the stand-in of the driver, where there is no driver.

    Raises:
        UsageError: no C compiler.
    """
    os.environ["PATH"] = f"{toolkit.root / 'bin'}{os.pathsep}{os.environ['PATH']}"
    os.environ["CUDA_PATH"] = str(toolkit.root)
    os.environ["TVM_CUDA_COMPILE_MODE"] = "nvcc"
    os.environ["TVM_CUDA_NVCC_NO_FAST_MATH"] = "1"
    ctypes.CDLL(str(toolkit.runtime), ctypes.RTLD_GLOBAL)
    try:
        ctypes.CDLL(_DRIVER, ctypes.RTLD_GLOBAL)
    except OSError:
        ctypes.CDLL(str(stand_in(folder)), ctypes.RTLD_GLOBAL)


def stand_in(folder: Path) -> Path:
    """Builds a driver library whose every function says that there is no device."""
    source, library = folder / "driver.c", folder / _DRIVER
    source.write_text(
        "".join(f"int {name}(void) {{ return {_NO_DEVICE}; }}\n" for name in _DRIVER_FUNCTIONS)
    )
    command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{_DRIVER}", "-o", str(library), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(
            f"gcc: cannot build for this machine: is it installed? ({error})"
        ) from error
    return library
