"""int8: what the network computes with, and what that costs in Dice."""

import json
import platform
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from artifact_folders import called, python
from native_artifacts import GOLDEN, REPORT, WEIGHTS
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compile import rewrite
from compile.build import main
from compile.export import to_onnx
from compile.golden import onnx_predictor
from compile.quantize import MAX_DICE_LOSS, calibration_photographs, quantize
from compile.size import square
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import Crop, find_field_of_view
from train import data as registry
from train.data.dataset import load
from train.metrics import Prediction, pooled
from train.models.checkpoint import load_network
from train.predict import Predictor, predictions

SIDE = 16


def tiny() -> bytes:
    random = np.random.default_rng(0)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["a"], name="a", pads=[1] * 4),
            helper.make_node("Relu", ["a"], ["b"], name="b"),
            helper.make_node("Conv", ["b", "v"], ["c"], name="c"),
            helper.make_node("Sigmoid", ["c"], ["probability"], name="d"),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [1, 1, SIDE, SIDE])],
        [
            numpy_helper.from_array(random.standard_normal(s).astype(np.float32), n)
            for n, s in (("w", (8, 3, 3, 3)), ("v", (1, 8, 1, 1)))
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def photographs() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(4)]


def test_weights_are_int8_per_channel_and_activations_uint8() -> None:
    made = onnx.load_from_string(quantize(tiny(), photographs()))
    kinds = {t.name: t.data_type for t in made.graph.initializer}
    shapes = {t.name: list(t.dims) for t in made.graph.initializer}
    weights = next(name for name, kind in kinds.items() if kind == TensorProto.INT8 and "w" in name)
    scale = next(name for name in shapes if name.startswith("w") and name.endswith("_scale"))
    assert shapes[weights][0] == shapes[scale][0] == 8
    zeros = [
        t for n, t in kinds.items() if n.endswith("_zero_point") and not n.startswith(("w", "v"))
    ]
    assert TensorProto.UINT8 in zeros
    assert made.producer_name == ""
    assert "/tmp" not in str(made.metadata_props)


def test_it_computes_nearly_the_same_and_always_the_same() -> None:
    first, second = quantize(tiny(), photographs()), quantize(tiny(), photographs())
    assert first == second
    image = photographs()[0]
    difference = np.abs(onnx_predictor(first)(image) - onnx_predictor(tiny())(image))
    assert 0 < difference.mean() < 0.03
    if not _saturates():
        assert difference.max() < 0.1


def _saturates() -> bool:
    """x86 without VNNI adds pairs of 8-bit products in 16 bits, which 8-bit weights can fill."""
    flags = Path("/proc/cpuinfo").read_text()
    return platform.machine() == "x86_64" and re.search("avx512_vnni|avx_vnni", flags) is None


@pytest.mark.parametrize(
    ("content", "images", "says"),
    [
        (tiny, [], "needs training photographs"),
        (lambda: quantize(tiny(), photographs()), photographs(), "quantised already"),
    ],
)
def test_refused(content, images, says) -> None:
    with pytest.raises(UsageError, match=says):
        quantize(content(), images)


@pytest.mark.parametrize("more", [(), ("--target", "rpi5"), ("--engine", "onnx")])
def test_the_command_says_what_int8_needs(tmp_path: Path, more: tuple[str, ...]) -> None:
    done = called(
        main, WEIGHTS, "--evaluation", REPORT, "--golden", GOLDEN, "--precision", "int8", "-o",
        tmp_path / "a", *more,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: --precision int8 in --engine onnx needs --data")


def _device_predictions(predict: Predictor, name: str, root: Path) -> list[Prediction]:
    """Of all photographs of a data set, cropped as the device crops."""
    dataset, found = registry.find(name), []
    for split in dataset.counts:
        for record in dataset.records(root, split):
            sample = load(record)
            fov = find_field_of_view(sample.image)
            assert fov is not None
            crop = Crop.around(fov, *sample.image.shape[:2], 544, 544)
            probability = crop.to_camera(predict(crop.to_network(sample.image)))
            found.append(Prediction(sample.id, probability, sample.label, sample.fov))
    return found


@pytest.mark.data
@pytest.mark.slow
def test_dice_stays_within_the_bound_on_drive_and_chase_db1(data: Path) -> None:
    content, _ = rewrite.apply(to_onnx(load_network(WEIGHTS)[1], square(544)))
    drive = registry.find("drive")
    int8 = quantize(content, calibration_photographs(drive, data, content))
    assert len(int8) < 0.5 * len(content)
    threshold = 0.58
    for predicted in (
        lambda predict: predictions(predict, drive, data, "test"),
        lambda predict: _device_predictions(predict, "chase_db1", data),
    ):
        before, after = (
            pooled(predicted(onnx_predictor(model)), threshold, inside=False).dice
            for model in (content, int8)
        )
        assert before - after <= MAX_DICE_LOSS


@pytest.mark.data
@pytest.mark.slow
def test_the_artifact_says_that_it_is_int8_and_passes_its_selftest(
    data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "int8"
    done = called(
        main, WEIGHTS, "--evaluation", REPORT, "--golden", GOLDEN, "--precision", "int8", "--data",
        data, "-o", folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = open_artifact(folder, (), allow_unsigned=True).manifest
    assert manifest.model.precision == "int8"
    dice = {m.stage: m.value for m in manifest.metrics if "full" in m.data and "pooled" in m.name}
    assert dice["torch"] - dice["int8"] <= MAX_DICE_LOSS
    done = python("-m", "edge_vessel.artifact", "verify", "--allow-unsigned", "--json", folder)
    assert json.loads(done.stdout)["selftest"]["passed"] is True
