"""The GPU of this machine, asked of its driver before anything of an artifact is loaded."""

import ctypes
from pathlib import Path

from edge_vessel.errors import ArtifactError
from edge_vessel.manifest import NONE

# CUDA driver API, CUdevice_attribute.
_MAJOR, _MINOR = 75, 76
# OpenCL 3.0 API, cl.h: CL_DEVICE_TYPE_ALL, CL_DEVICE_NAME and CL_DRIVER_VERSION.
_ALL_DEVICES, _DEVICE_NAME, _DRIVER_VERSION = 0xFFFFFFFF, 0x102B, 0x102D
_NVIDIA = Path("/proc/driver/nvidia/version")
_MOST_NAME = 256


def check_accelerator(accelerator: str, folder: Path) -> None:
    """Returns where this machine has it; `folder` is only named in messages.

    Args:
        accelerator: as a manifest names it: "none", "opencl", "cuda:sm_87".

    Raises:
        ArtifactError: no such GPU, or no driver for it.
    """
    if accelerator == NONE:
        return
    kind, _, wanted = accelerator.partition(":")
    if kind == "opencl":
        if opencl_platforms() == 0:
            raise ArtifactError(
                f"{folder}: needs a GPU with OpenCL; no libOpenCL.so.1 here finds one: install the "
                "board's driver, or use an artifact for the CPU"
            )
        return
    found = cuda_architecture()
    if found is None:
        raise ArtifactError(
            f"{folder}: needs an NVIDIA GPU ({wanted}); no driver here finds one: install it, or "
            "use an artifact for the CPU"
        )
    if found != wanted:
        raise ArtifactError(
            f"{folder}: is built for an NVIDIA GPU {wanted}; this machine has {found}; use an "
            "artifact built for it"
        )


def cuda_architecture() -> str | None:
    """Of the first NVIDIA GPU, such as "sm_87"; None where the driver finds none."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        if driver.cuInit(0) != 0:
            return None
        device, values = ctypes.c_int(), []
        if driver.cuDeviceGet(ctypes.byref(device), 0) != 0:
            return None
        for attribute in (_MAJOR, _MINOR):
            value = ctypes.c_int()
            if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device) != 0:
                return None
            values.append(value.value)
    except (OSError, AttributeError):
        return None
    return "sm_{}{}".format(*values)


def opencl_platforms() -> int:
    """How many the loader finds; 0 without a loader."""
    try:
        loader, count = ctypes.CDLL("libOpenCL.so.1"), ctypes.c_uint()
        failed = loader.clGetPlatformIDs(0, None, ctypes.byref(count))
    except (OSError, AttributeError):
        return 0
    return 0 if failed else count.value


def device_name(accelerator: str) -> str:
    """What the driver calls the first device of this kind, and its own version.

    "unknown" where it does not say.

    Args:
        accelerator: as a manifest names it, not "none".
    """
    try:
        found = _opencl_words() if accelerator == "opencl" else _cuda_words()
    except (OSError, AttributeError):
        return "unknown"
    return ", driver ".join(one for one in found if one) or "unknown"


def _cuda_words() -> list[str]:
    name, driver, device = ctypes.create_string_buffer(_MOST_NAME), ctypes.CDLL("libcuda.so.1"), 0
    driver.cuInit(0)
    driver.cuDeviceGetName(name, _MOST_NAME - 1, device)
    version = _NVIDIA.read_text(errors="replace").partition("\n")[0] if _NVIDIA.exists() else ""
    return [_text(name), version.partition("Module")[2].strip()]


def _opencl_words() -> list[str]:
    loader = ctypes.CDLL("libOpenCL.so.1")
    platform, device, found = ctypes.c_void_p(), ctypes.c_void_p(), []
    loader.clGetPlatformIDs(1, ctypes.byref(platform), None)
    if loader.clGetDeviceIDs(
        platform, ctypes.c_uint64(_ALL_DEVICES), 1, ctypes.byref(device), None
    ):
        return []
    for which in (_DEVICE_NAME, _DRIVER_VERSION):
        said, size = ctypes.create_string_buffer(_MOST_NAME), ctypes.c_size_t(_MOST_NAME - 1)
        loader.clGetDeviceInfo(device, ctypes.c_uint(which), size, said, None)
        found.append(_text(said))
    return found


def _text(said: "ctypes.Array[ctypes.c_char]") -> str:
    return said.value.decode("utf-8", "replace").strip()
