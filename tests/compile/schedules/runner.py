"""Compiles one bottleneck for this machine and runs it on plain arrays."""

import platform

import numpy as np
import tvm
from numpy.typing import NDArray

from compile.schedules.bottleneck import Bottleneck
from compile.schedules.core import Core
from compile.schedules.maps import Image, Map

Array = NDArray[np.float64]
HOST = {"kind": "llvm"}
if platform.machine() == "x86_64":
    HOST["mcpu"] = "x86-64-v3"  # converts float16; without it the compiler's library would have to


def lay_out(source: Map | Image, values: Array, core: Core) -> NDArray[np.generic]:
    """(C, H, W) as the schedules want it; not-a-numbers in the slack show who uses it."""
    if isinstance(source, Image):
        ordered = values.transpose(1, 2, 0) if source.bytes_in else values
        return np.ascontiguousarray(ordered[None], dtype=source.dtype)
    flat = np.full((source.height * source.width + 2, core.padded(source.channels)), np.nan)
    flat[1:-1] = 0
    flat[1:-1, : source.channels] = values.transpose(1, 2, 0).reshape(-1, source.channels)
    return flat.astype(core.dtype).ravel()


def run(one: Bottleneck, inputs: list[Array], core: Core) -> Array:
    """The output (C, H, W)."""
    module = tvm.IRModule({"bottleneck": one.function(core, "bottleneck")})
    library = tvm.compile(module, target=tvm.target.Target(HOST))
    arguments = [lay_out(*pair, core) for pair in zip(one.inputs, inputs, strict=True)]
    out = one.output
    shape = (1, 1, out.height, out.width) if one.final else out.shape(core)
    result = tvm.runtime.tensor(np.full(shape, np.nan, one.output_dtype(core)))
    tensors = [tvm.runtime.tensor(a) for a in (*arguments, one.packed(core))]
    library["bottleneck"](*tensors, result)
    found = result.numpy().astype(np.float64)
    if one.final:
        return found[0]
    pixels = found.reshape(-1, core.padded(out.channels))[1:-1, : out.channels]
    return pixels.reshape(out.height, out.width, out.channels).transpose(2, 0, 1)
