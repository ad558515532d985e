"""The same network in the forms that the engines take: given, or made of what was given."""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.peers.engines import Form
from edge_vessel.errors import UsageError

_ONNX = "network.onnx"


@dataclass(frozen=True)
class Networks:
    """Files of one network, float32, probabilities out; None where there is none.

    Attributes:
        checkpoint: of `python -m train fit`, for PyTorch itself.
        onnx: image (1, 3, H, W) in [-1, 1].
        ncnn: the .param; its .bin lies beside it.
        tflite: image (1, 3, H, W) or (1, H, W, 3).
    """

    checkpoint: Path | None = None
    onnx: Path | None = None
    ncnn: Path | None = None
    tflite: Path | None = None

    def of(self, form: Form) -> Path:
        """Raises UsageError where there is none; says how to give one."""
        found: Path | None = getattr(self, form)
        if found is None:
            raise UsageError(f"no network for it: {_HOW[form]}")
        return found

    def float32(self, form: Form) -> bool:
        """Whether what these make of it is float32 for sure: a given ONNX or TFLite file, or one of
        ncnn, may hold anything."""
        return not {
            "checkpoint": None,
            "onnx": self.onnx,
            "ncnn": self.ncnn or self.onnx,
            "tflite": self.tflite,
        }[form]


_HOW: dict[Form, str] = {
    "checkpoint": "give --checkpoint",
    "onnx": "give --checkpoint or --onnx",
    "ncnn": "give --ncnn, or pip install pnnx, which makes it of the ONNX file",
    "tflite": "give --tflite; python -m bench.peers.to_tflite makes one where litert-torch is "
    "installed",
}


def check(given: Networks) -> None:
    """Raises UsageError where a file is missing."""
    files = [one for one in vars(given).values() if one is not None]
    files += [one.with_suffix(".bin") for one in (given.ncnn,) if one is not None]
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: no such file")


def complete(
    given: Networks, wanted: Collection[Form], size: tuple[int, int], folder: Path
) -> tuple[Networks, dict[Form, UsageError]]:
    """Makes what can be made: ONNX of a checkpoint, ncnn's of ONNX; and why it could not.

    Args:
        given: checked.
        wanted: forms that somebody takes.
        size: (height, width) of the input.
        folder: for what is made.
    """
    faults: dict[Form, UsageError] = {}
    steps: dict[Form, Callable[[Networks, tuple[int, int], Path], Networks]]
    steps = {"onnx": _export, "ncnn": _pnnx}
    for form, make in steps.items():
        # ncnn's is made of the ONNX one.
        if getattr(given, form) is None and (form in wanted or "ncnn" in wanted):
            try:
                given = make(given, size, folder)
            except UsageError as error:
                faults[form] = error
    return given, faults


def _export(given: Networks, size: tuple[int, int], folder: Path) -> Networks:
    if given.checkpoint is None:
        return given
    made = folder / _ONNX
    export = [sys.executable, "-W", "ignore", "-m", "compile.export", str(given.checkpoint)]
    _call([*export, "-o", str(made), "--size", f"{size[0]}x{size[1]}"], folder=None)
    return replace(given, onnx=made)


def _pnnx(given: Networks, size: tuple[int, int], folder: Path) -> Networks:
    pnnx = shutil.which("pnnx") or shutil.which("pnnx", path=sysconfig.get_path("scripts"))
    if given.onnx is None or pnnx is None:
        return given
    # It writes beside what it reads, and stores weights in 16 bits unless told otherwise.
    source = folder / "pnnx.onnx"
    shutil.copyfile(given.onnx, source)
    _call([pnnx, source.name, f"inputshape=[1,3,{size[0]},{size[1]}]", "fp16=0"], folder)
    return replace(given, ncnn=folder / "pnnx.ncnn.param")


def _call(command: Sequence[str], folder: Path | None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "without a word").splitlines()
        raise UsageError(
            f"{Path(command[0]).name} failed with {done.returncode}: "
            f"{said[-1].removeprefix('error: ')}"
        )
