"""Loads TVM's runtime and compiled models from verified bytes, the only native code we load."""

import contextlib
import ctypes
import hashlib
import os
import platform
import re
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_vessel.engines import cores
from edge_vessel.errors import ArtifactError
from edge_vessel.target import canonical_architecture

RUNTIME_FILE = "libtvm_runtime.so"
VERSION = re.compile(r"(?P<tvm>[0-9a-z.]+) \(tvm-ffi (?P<ffi>\d+\.\d+\.\d+)[0-9a-z.]*\)")

# ELF specification, e_machine; both are little-endian and 64 bits wide here.
_MACHINES = {"x86_64": 62, "aarch64": 183}
_NETWORK_SYMBOL = b"__tvm_ffi__library_bin"
_HEADER = struct.Struct("<4s B B 10x H H 20x Q 10x H H 2x")

_lock = threading.Lock()
_runtime_sha256: dict[str, str] = {}  # of the runtime libraries in this process, by name


def check_elf(content: bytes, path: Path) -> None:
    """Returns where `content` is a shared object for this machine; `path` is only named.

    Raises:
        ArtifactError: it is not ELF, or made for another machine.
    """
    here = canonical_architecture(platform.machine(), sys.maxsize > 2**32)
    header = content[: _HEADER.size].ljust(_HEADER.size, b"\0")
    magic, wide, order, _, machine, sections, section_size, section_count = _HEADER.unpack(header)
    if magic != b"\x7fELF" or (wide, order) != (2, 1):
        raise ArtifactError(f"{path}: not a 64-bit shared object; compile the artifact again")
    # The dynamic linker maps what the headers say: past the end of the file that is a bus error.
    if sections + section_size * section_count > len(content):
        raise ArtifactError(f"{path}: ends too early; copy or compile the artifact again")
    if machine != _MACHINES.get(here):
        made_for = next((name for name, code in _MACHINES.items() if code == machine), machine)
        raise ArtifactError(
            f"{path}: holds code for {made_for}, this machine is {here}; compile it for {here}"
        )


def foreign_function_interface(version: str, folder: Path) -> ModuleType:
    """The package tvm_ffi, of the version that the artifact was compiled with.

    Args:
        version: the manifest's, such as "0.27.0.post1 (tvm-ffi 0.1.14.post1)".

    Raises:
        ArtifactError: it is missing, or of a version with another binary interface.
    """
    wanted = VERSION.fullmatch(version)
    if wanted is None:
        raise ArtifactError(
            f"{folder}: engine version {version!r} names no tvm-ffi version; compile it again"
        )
    install = f"pip install 'apache-tvm-ffi=={wanted['ffi']}.*'"
    try:
        found = metadata.version("apache-tvm-ffi")
    except metadata.PackageNotFoundError as error:
        raise ArtifactError(f"{folder}: needs the package apache-tvm-ffi: {install}") from error
    if not found.startswith(wanted["ffi"]):
        raise ArtifactError(
            f"{folder}: was compiled with tvm-ffi {wanted['ffi']}, {found} is installed: {install}"
        )
    with _lock, _torch_out_of_sight():
        import tvm_ffi
    return tvm_ffi


@contextlib.contextmanager
def _torch_out_of_sight() -> Iterator[None]:
    """tvm_ffi imports torch where it finds it, which costs 200 MB and seconds for nothing."""
    if "torch" in sys.modules or "tvm_ffi" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]  # Python's own way to hide a module
    switch = "TVM_FFI_DISABLE_TORCH_C_DLPACK"
    before = os.environ.get(switch)
    os.environ[switch] = "1"
    try:
        yield
    finally:
        del sys.modules["torch"]
        if before is None:
            del os.environ[switch]
        else:
            os.environ[switch] = before


def load_runtime(content: bytes, path: Path) -> None:
    """Loads the runtime that the artifact carries, or its part for a GPU, once in a process.

    Raises:
        ArtifactError: it cannot be loaded, or another one is loaded already.
    """
    check_elf(content, path)
    digest = hashlib.sha256(content).hexdigest()
    with _lock:
        loaded = _runtime_sha256.get(path.name)
        if loaded == digest:
            return
        if loaded is not None:
            raise ArtifactError(
                f"{path}: another version of TVM's runtime is loaded in this process; "
                "use artifacts of one version, or a process for each"
            )
        with _as_file(content, path.name) as file:
            try:
                ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
            except OSError as error:
                raise ArtifactError(f"{path}: cannot be loaded: {error}") from error
        _runtime_sha256[path.name] = digest


def load_model(
    ffi: ModuleType, content: bytes, path: Path, gpu: int | None = None
) -> tuple[Callable[[Any], Any], Callable[[int], None]]:
    """The compiled network's `main`, and what sets the calling thread's worker count.

    Args:
        gpu: DLPack's number of the kind of device that runs it; the CPU when None.

    Raises:
        ArtifactError: it is no Relax executable, or has no `main`.
    """
    check_elf(content, path)
    if _NETWORK_SYMBOL not in content:
        # TVM's own library in its place would end the process, not raise an error.
        raise ArtifactError(f"{path}: holds no compiled network; compile the artifact again")
    try:
        with _as_file(content, "model.so") as file:
            machine = ffi.load_module(str(file))["vm_load_executable"]()
        cpu, first, pooled = 1, 0, 2
        devices = [cpu] if gpu is None else [gpu, cpu]
        machine["vm_initialization"](*(n for kind in devices for n in (kind, first, pooled)))
        main: Callable[[Any], Any] = machine["main"]
    except (OSError, RuntimeError, AttributeError, KeyError, ValueError, TypeError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        remedy = "" if gpu is None else "check the GPU's driver, or "
        raise ArtifactError(
            f"{path}: TVM's runtime cannot load it: {line}; {remedy}compile the artifact again"
        ) from error
    configure = ffi.get_global_func("runtime.config_threadpool")
    share_these_cores = -3

    def set_workers(threads: int) -> None:
        chosen = [str(core) for core in cores.fastest(threads)]
        configure(share_these_cores, len(chosen), ffi.convert(chosen))

    return main, set_workers


@contextlib.contextmanager
def _as_file(content: bytes, name: str) -> Iterator[Path]:
    """A name for bytes in memory, since the dynamic linker wants one.

    No other process can change what it names between the check of the hash and the load.
    """
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        with tempfile.TemporaryDirectory(prefix="edge-vessel-") as folder:
            link = Path(folder) / name
            link.symlink_to(f"/proc/self/fd/{descriptor}")
            yield link
    finally:
        os.close(descriptor)
