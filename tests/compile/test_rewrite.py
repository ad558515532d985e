"""Each pass computes the same and fires only where it may."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from artifact_folders import ROOT
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from compile import rewrite
from compile.export import to_onnx
from compile.rewrite import PASSES, cost
from compile.size import square
from train.models.checkpoint import load_network

WEIGHTS = ROOT / "train" / "weights" / "m2unet_drive.ckpt"
LOW, HIGH = "low", "high"  # inputs: 6 channels of 5x7 pixels, 4 channels of 10x14


def run(model: ModelProto, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, inputs)
    return found


def constant(name: str, *shape: int) -> onnx.TensorProto:
    values = np.random.default_rng(shape).standard_normal(shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def small(nodes: list[onnx.NodeProto], outputs: dict[str, list[int]]) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info(LOW, TensorProto.FLOAT, [1, 6, 5, 7]),
            helper.make_tensor_value_info(HIGH, TensorProto.FLOAT, [1, 4, 10, 14]),
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in outputs.items()
        ],
        [
            numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
            constant("w", 3, 10, 1, 1),
            constant("b", 3),
            constant("w3", 3, 10, 3, 3),
            constant("u", 9, 6, 1, 1),
            constant("v", 2, 9, 1, 1),
            constant("big", 20, 6, 1, 1),
            constant("same", 6, 6, 1, 1),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def up(mode: str = "linear", centres: str = "half_pixel") -> onnx.NodeProto:
    return helper.make_node(
        "Resize", [LOW, "", "scales"], ["up"], mode=mode, coordinate_transformation_mode=centres
    )


def conv(source: str, weights: str, out: str, *more: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node("Conv", [source, weights, *more], [out], name=out, **attributes)


def cat(*values: str) -> onnx.NodeProto:
    return helper.make_node("Concat", list(values), ["cat"], axis=1)


Y = {"y": [1, 3, 10, 14]}
CASES = {
    "upsampled first": (
        "sink_pointwise",
        1,
        [up(), cat("up", HIGH), conv("cat", "w", "y", "b")],
        Y,
    ),
    "upsampled last": ("sink_pointwise", 1, [up(), cat(HIGH, "up"), conv("cat", "w", "y", "b")], Y),
    "no bias": ("sink_pointwise", 1, [up(), cat("up", HIGH), conv("cat", "w", "y")], Y),
    "nearest": ("sink_pointwise", 0, [up("nearest"), cat("up", HIGH), conv("cat", "w", "y")], Y),
    "aligned corners": (
        "sink_pointwise",
        0,
        [up(centres="align_corners"), cat("up", HIGH), conv("cat", "w", "y")],
        Y,
    ),
    "not pointwise": (
        "sink_pointwise",
        0,
        [up(), cat("up", HIGH), conv("cat", "w3", "y", pads=[1, 1, 1, 1])],
        Y,
    ),
    "stride": (
        "sink_pointwise",
        0,
        [up(), cat("up", HIGH), conv("cat", "w", "y", strides=[2, 2])],
        {"y": [1, 3, 5, 7]},
    ),
    "concatenation read twice": (
        "sink_pointwise",
        0,
        [
            up(),
            cat("up", HIGH),
            conv("cat", "w", "z"),
            helper.make_node("ReduceMean", ["cat"], ["mean"], keepdims=1),
            helper.make_node("Add", ["z", "mean"], ["y"]),
        ],
        Y,
    ),
    "two in a row": (
        "compose_pointwise",
        1,
        [conv(LOW, "u", "h"), conv("h", "v", "y")],
        {"y": [1, 2, 5, 7]},
    ),
    "an activation between": (
        "compose_pointwise",
        0,
        [conv(LOW, "u", "h"), helper.make_node("Relu", ["h"], ["r"]), conv("r", "v", "y")],
        {"y": [1, 2, 5, 7]},
    ),
    "through an addition": (
        "compose_pointwise",
        1,
        [
            conv(LOW, "u", "wide"),
            helper.make_node("Relu", ["wide"], ["r"]),
            conv("r", "n", "h"),
            helper.make_node("Add", [LOW, "h"], ["sum"]),
            conv("sum", "few", "y"),
        ],
        {"y": [1, 1, 5, 7]},
    ),
    "dearer together": (
        "compose_pointwise",
        0,
        [
            conv(LOW, "same", "h"),
            helper.make_node("Add", [LOW, "h"], ["sum"]),
            conv("sum", "big", "y"),
        ],
        {"y": [1, 20, 5, 7]},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_pass_fires_where_it_may_and_nowhere_else(case) -> None:
    name, expected, nodes, outputs = case
    model = small(nodes, outputs)
    model.graph.initializer.extend([constant("n", 6, 9, 1, 1), constant("few", 1, 6, 1, 1)])
    generator = np.random.default_rng(0)
    inputs = {
        LOW: generator.standard_normal((1, 6, 5, 7)).astype(np.float32),
        HIGH: generator.standard_normal((1, 4, 10, 14)).astype(np.float32),
    }
    before, dear = run(model, inputs), cost(model)
    assert PASSES[name](model) == expected
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_allclose(run(model, inputs), before, atol=1e-5)
    assert (cost(model).multiply_adds < dear.multiply_adds) == (expected > 0)


@pytest.fixture(scope="module")
def exported() -> bytes:
    return to_onnx(load_network(Path(WEIGHTS))[1], square(96))


@pytest.mark.parametrize("name", PASSES)
def test_m2unet_stays_the_same_function(exported: bytes, name: str) -> None:
    model = onnx.load_from_string(exported)
    for earlier in list(PASSES)[: list(PASSES).index(name)]:
        PASSES[earlier](model)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 3, 96, 96)).astype(np.float32)
    before = run(model, {"image": image})
    assert PASSES[name](model) == 4
    np.testing.assert_allclose(run(model, {"image": image}), before, atol=1e-5)


def test_what_the_passes_save_on_m2unet(exported: bytes) -> None:
    rewritten, saved = rewrite.apply(exported)
    assert [one.count for one in saved] == [4, 4]
    assert saved[-1].after == cost(onnx.load_from_string(rewritten))
    # The first pass saves 5 % of the multiply-adds and a fifth of the maps, the second 7 % more.
    adds = [one.after.multiply_adds / one.before.multiply_adds for one in saved]
    assert adds == pytest.approx([0.948, 0.923], abs=0.002)
    first = saved[0]
    assert first.after.activation_bytes < 0.8 * first.before.activation_bytes
