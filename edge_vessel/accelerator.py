"""The GPU of this machine, asked of its driver before anything of an artifact is loaded."""

import ctypes
from pathlib import Path

from edge_vessel.errors import ArtifactError
from edge_vessel.manifest import NONE

# CUDA driver API, CUdevice_attribute.
_MAJOR, _MINOR = 75, 76
# OpenCL 3.0 API, cl.h: CL_DEVICE_TYPE_ALL and CL_DEVICE_NAME.
_ALL_DEVICES, _DEVICE_NAME = 0xFFFFFFFF, 0x102B
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
    """What the driver calls the first device of this kind; "unknown" where it does not say.

    Args:
        accelerator: as a manifest names it, not "none".
    """
    name = ctypes.create_string_buffer(_MOST_NAME)
    try:
        if accelerator == "opencl":
            _opencl_name(name)
        else:
            driver, device = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
            driver.cuInit(0)
            driver.cuDeviceGet(ctypes.byref(device), 0)
            driver.cuDeviceGetName(name, _MOST_NAME - 1, device)
    except (OSError, AttributeError):
        return "unknown"
    return name.value.decode("utf-8", "replace").strip() or "unknown"


def _opencl_name(name: "ctypes.Array[ctypes.c_char]") -> None:
    loader = ctypes.CDLL("libOpenCL.so.1")
    platform, device = ctypes.c_void_p(), ctypes.c_void_p()
    loader.clGetPlatformIDs(1, ctypes.byref(platform), None)
    kinds = ctypes.c_uint64(_ALL_DEVICES)
    if loader.clGetDeviceIDs(platform, kinds, 1, ctypes.byref(device), None) == 0:
        size = ctypes.c_size_t(_MOST_NAME - 1)
        loader.clGetDeviceInfo(device, ctypes.c_uint(_DEVICE_NAME), size, name, None)
