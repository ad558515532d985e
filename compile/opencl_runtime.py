"""`python -m compile.opencl_runtime`: TVM's runtime part for OpenCL, which TVM's wheel lacks.

The wheel holds neither that library nor its sources, so `opencl_runtime.cc` beside this file is one
of our own, built against the wheel's headers. It opens the machine's libOpenCL when a model is
loaded: the compiler needs the headers of OpenCL and no OpenCL library.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import tvm
import tvm_ffi

from compile import targets
from compile.runtime_library import runtime_library
from edge_vessel.atomic import write_file
from edge_vessel.engines.tvm_gpu import RUNTIME_FILES
from edge_vessel.engines.tvm_library import RUNTIME_FILE
from edge_vessel.errors import EdgeVesselError, UsageError

HEADERS = Path("/usr/include/CL")
_SOURCE = Path(__file__).with_suffix(".cc")
# By architecture: the compiler, and the Debian package that brings it.
_COMPILERS = {
    "x86_64": ("g++", "g++"),
    "aarch64": ("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu"),
}
_OPTIONS = ("-std=c++17", "-O2", "-fPIC", "-shared")


def build(architecture: str) -> bytes:
    """libtvm_runtime_opencl.so for "x86_64" or "aarch64", to lie beside libtvm_runtime.so.

    It needs glibc 2.34 or newer on the machine where it runs (Debian 12, Ubuntu 22.04).

    Raises:
        UsageError: another architecture, no compiler for it, no OpenCL headers, or pip could not
            fetch TVM's wheel for it.
    """
    if architecture not in _COMPILERS:
        raise UsageError(f"architecture {architecture!r}: one of {', '.join(_COMPILERS)}")
    if not (HEADERS / "cl.h").exists():
        raise UsageError(f"{HEADERS / 'cl.h'}: not found: apt install opencl-headers")
    name = RUNTIME_FILES["opencl"]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / name
        (Path(folder) / RUNTIME_FILE).write_bytes(runtime_library(architecture))
        _compile(architecture, Path(folder), library)
        return library.read_bytes()


def _compile(architecture: str, folder: Path, library: Path) -> None:
    """Links with libtvm_runtime.so in `folder`; what that needs itself is not looked for."""
    compiler, package = _COMPILERS[architecture]
    packages = (Path(tvm.__file__).parent, Path(tvm_ffi.__file__).parent)
    command = [compiler, *_OPTIONS, str(_SOURCE), "-o", str(library)]
    for package_folder in packages:
        command += ["-isystem", str(package_folder / "include")]
    # Error messages name source files: not by where they lay on the workstation.
    for package_folder in (_SOURCE.parent, *packages):
        command.append(f"-ffile-prefix-map={package_folder}={package_folder.name}")
    # After the compiler's own: a cross compiler must find its own C library first.
    command += ["-idirafter", str(HEADERS.parent)]
    command += [f"-Wl,-soname,{library.name}", f"-L{folder}", "-ltvm_runtime"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(
            f"{compiler}: cannot run ({error.strerror}): apt install {package}"
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        first = next((line for line in lines if "error" in line), lines[-1])
        raise UsageError(
            f"{compiler}: cannot build {_SOURCE.name} for {architecture}: {first}; is {package} "
            f"complete, and TVM {tvm.__version__} the version that this checkout asks for?"
        )


def main(arguments: list[str] | None = None) -> int:
    """Writes the library for the machine of a target."""
    parse = argparse.ArgumentParser(prog="python -m compile.opencl_runtime", description=__doc__)
    parse.add_argument("--target", required=True, metavar="NAME", help="one with OpenCL")
    parse.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help=RUNTIME_FILES["opencl"]
    )
    options = parse.parse_args(arguments)
    try:
        target = targets.find(options.target)
        if target.accelerator != "opencl":
            raise UsageError(
                f"target {target.name}: has no OpenCL: "
                f"{', '.join(n for n, t in targets.TARGETS.items() if t.accelerator == 'opencl')}"
            )
        content = build(target.architecture)
        write_file(options.output, content)
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{options.output}: {len(content)} bytes for {target.triple}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
