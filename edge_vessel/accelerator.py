"""The GPU of this machine, asked of its driver before anything of an artifact is loaded."""

import ctypes
from pathlib import Path

from edge_vessel.errors import ArtifactError
from edge_vessel.manifest import NONE

# CUDA driver API, CUdevice_attribute.
_MAJOR, _MINOR = 75, 76


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
