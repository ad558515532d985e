"""Small real artifacts for volumes: one 3-D convolution in ONNX, its mean along the depth."""

from pathlib import Path

import numpy as np
import onnx
from artifact_folders import TARGET, npz
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_vessel import artifact
from edge_vessel.manifest import EngineVersion, Metric, Model, OctaManifest
from edge_vessel.octa.description import Channel, OctaInput, OctaOutput

DEPTH, SIDE = 4, 16
CHANNELS = (Channel("OCT", 1 / 255, 0.0), Channel("OCTA", 2 / 255, -1.0))
FORM = OctaInput(CHANNELS, DEPTH, SIDE, SIDE, 0.5, "gaussian")
_random = np.random.default_rng(3)
WEIGHTS = _random.normal(0, 0.5, (2, 2, 3, 3, 3)).astype(np.float32)


def manifest(form: OctaInput = FORM, classes: tuple[str, ...] = ("vessel",)) -> OctaManifest:
    """A valid manifest without files."""
    return OctaManifest(
        name="tiny-octa",
        version=1,
        model=Model("tiny", 54, 54 * DEPTH * SIDE * SIDE, "none", None),
        input=form,
        output=OctaOutput(classes, 0.5, "fixed"),
        target=TARGET,
        engine=EngineVersion("onnx", "1.20"),
        tuning_log_sha256=None,
        metrics=(Metric("trained", "synthetic volumes", "dice", 0.5),),
        licence="Apache-2.0",
        created="2026-01-31T12:00:00Z",
    )


def model(form: OctaInput = FORM, classes: int = 1) -> bytes:
    """A 3x3x3 convolution and the mean along the depth, for patches of `form`."""
    weights = WEIGHTS[:classes, : len(form.channels)]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["patch", "weights"], ["map"], pads=[1] * 6),
            helper.make_node("ReduceMean", ["map", "axes"], ["logits"], keepdims=0),
        ],
        "tiny",
        [helper.make_tensor_value_info("patch", TensorProto.FLOAT, [1, *form.shape])],
        [
            helper.make_tensor_value_info(
                "logits", TensorProto.FLOAT, [1, classes, form.height, form.width]
            )
        ],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([2], np.int64), "axes"),
        ],
    )
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(built)
    return built.SerializeToString()


def logits(patch: NDArray[np.float32], classes: int = 1) -> NDArray[np.float32]:
    """(channels, depth, h, w) -> (classes, h, w): what the model computes, by numpy."""
    padded = np.pad(patch, ((0, 0), (1, 1), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3, 3), axis=(1, 2, 3))
    found = np.einsum("cdhwxyz,kcxyz->kdhw", windows, WEIGHTS[:classes, : len(patch)])
    return found.mean(axis=1, dtype=np.float32)


def scaled(voxels: NDArray[np.number], form: OctaInput = FORM) -> NDArray[np.float32]:
    """What the network gets of (channels, ...) voxels from 0 to 255."""
    found = [
        one * channel.scale + channel.offset
        for one, channel in zip(voxels, form.channels, strict=True)
    ]
    return np.asarray(found, np.float32)


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return 1 / (1 + np.exp(-values))


def voxels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    """(2, depth, height, width) noise."""
    return np.random.default_rng(seed).integers(0, 256, (2, *shape), np.uint8)


def write(
    folder: Path,
    key=None,
    form: OctaInput = FORM,
    classes: tuple[str, ...] = ("vessel",),
    **changed: bytes,
) -> Path:
    """A valid artifact; `changed` replaces a file by its stem: golden=b"..."."""
    patch = voxels(*form.shape[1:], seed=7)[-len(form.channels) :]
    probability = sigmoid(logits(scaled(patch, form), len(classes))).astype(np.float16)
    files = {
        "model.onnx": model(form, len(classes)),
        "golden.npz": npz(patch=patch, probability=probability),
    }
    files |= {name: changed[name.split(".")[0]] for name in files if name.split(".")[0] in changed}
    return artifact.write(folder, manifest(form, classes), files, key)
