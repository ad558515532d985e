"""What a coarser precision costs, computed on the workstation with the schedules of the board.

x86-64 has no half-precision arithmetic in general, so LLVM converts around every operation: slow,
but rounded to float16 after each, as the board does. A fused multiply-add of the board rounds once
where this rounds twice. Integers are the same everywhere.
"""

from dataclasses import replace

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

from compile import targets
from compile.schedules.core import Core
from compile.steps import steps
from compile.tvm_build import lower, module
from edge_vessel.engines.cores import available
from train.predict import Predictor

EMULATOR = "x86_64"  # x86-64-v3 has instructions for the conversion


def predictor(content: bytes, core: Core, precision: str) -> Predictor:
    """(H, W, 3) uint8 RGB of the network's size -> probability (H, W) float32.

    Args:
        content: a rewritten float32 network in ONNX that the schedules cover.
        core: of the board.
        precision: "fp16" with a core of float16, or "int8".
    """
    core = replace(core, threads=min(core.threads, len(available())), neon=False)
    scheduled = module(steps(content, precision), core)
    executable = lower(scheduled, targets.find(EMULATOR).tvm(core.threads))
    machine = relax.VirtualMachine(executable, tvm.cpu())

    def predict(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = machine["main"](tvm.runtime.tensor(image[None])).numpy()
        return found[0, 0]

    return predict
