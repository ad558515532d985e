"""Small real artifacts: a 1x1 convolution and a sigmoid in ONNX, on 16x16 pixels."""

import contextlib
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge_vessel import artifact
from edge_vessel.manifest import (
    EngineVersion,
    FundusManifest,
    Input,
    Metric,
    Model,
    Output,
    Target,
)

ROOT = Path(__file__).parents[2]
SIZE = 16
SCALE, OFFSET = 1 / 127.5, -1.0
WEIGHTS = np.array([0.5, 1.5, -0.7], dtype=np.float32)
TARGET = Target("any", "generic", (), 1, 64)


def manifest(target: Target = TARGET, version: int = 1) -> FundusManifest:
    """A valid manifest without files; `artifact.write` fills them in."""
    return FundusManifest(
        name="tiny-16",
        version=version,
        model=Model("tiny", 4, 4 * SIZE * SIZE, "none", hashlib.sha256(b"").hexdigest()),
        input=Input(SIZE, SIZE, "float32", "NCHW", "RGB", SCALE, OFFSET, "none"),
        output=Output(0.5, "fixed"),
        target=target,
        engine=EngineVersion("onnx", "1.20"),
        tuning_log_sha256=None,
        metrics=(Metric("trained", "synthetic", "dice", 0.5),),
        licence="Apache-2.0",
        created="2026-01-31T12:00:00Z",
    )


def model(stride: int = 1) -> bytes:
    """float32 (1, 3, 16, 16) -> sigmoid of a 1x1 convolution, (1, 1, 16 / stride, 16 / stride)."""
    side = SIZE // stride
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "weights", "bias"], ["logit"], strides=[stride] * 2),
            helper.make_node("Sigmoid", ["logit"], ["probability"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [1, 1, side, side])],
        [
            onnx.numpy_helper.from_array(WEIGHTS.reshape(1, 3, 1, 1), "weights"),
            onnx.numpy_helper.from_array(np.array([0.1], dtype=np.float32), "bias"),
        ],
    )
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(built)
    return built.SerializeToString()


def golden_pair() -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """The image and what the model makes of it, computed by numpy and not by the engine."""
    image = np.random.default_rng(7).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    logit = (image.astype(np.float64) * SCALE + OFFSET) @ WEIGHTS.astype(np.float64) + 0.1
    return image, (1 / (1 + np.exp(-logit))).astype(np.float16)


def npz(**arrays: NDArray) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def files() -> dict[str, bytes]:
    image, probability = golden_pair()
    return {"model.onnx": model(), "golden.npz": npz(image=image, probability=probability)}


def write(folder: Path, key=None, target: Target = TARGET, **changed: bytes) -> Path:
    """A valid artifact; `changed` replaces a file by its stem: golden=b"..."."""
    whole = files()
    for name in whole:
        whole[name] = changed.get(name.split(".")[0], whole[name])
    return artifact.write(folder, replace(manifest(), target=target), whole, key)


def flip(path: Path, position: int) -> None:
    """Turns one bit of a file around."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))


def python(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Runs this Python as a user would, in a real process."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def called(
    main: Callable[[list[str]], int], *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Runs a command's `main` in this process: what a new one costs is mostly its imports."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, COLUMNS="200"),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        try:
            code = main([str(one) for one in arguments])
        except SystemExit as ended:  # as argparse ends a wrong call
            code = ended.code
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def command(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Runs `python -m edge_vessel.artifact`; a traceback is a failure wherever it stands."""
    result = python("-m", "edge_vessel.artifact", *arguments, **options)
    assert "Traceback" not in result.stderr, result.stderr
    return result
