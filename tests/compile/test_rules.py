"""Networks without a schedule of their own: every supported operator, against ONNX Runtime."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tvm
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from tvm import relax

from compile import relax_import, rules, targets
from compile.onnx_import import SUPPORTED
from compile.rewrite import camera_bytes
from compile.rules.gpu import CHANNELS
from compile.tvm_build import lower
from edge_vessel.preprocessing import OFFSET, SCALE

Nodes = list[NodeProto]
IN, OUT = "image", "out"


class Network:
    """Grows a chain of nodes from the image, with random constants."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width)
        self.nodes: Nodes = []
        self.constants: list[TensorProto] = []
        self.last = IN

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weights(self, *shape: int) -> str:
        random = np.random.default_rng(len(self.constants))
        return self.constant(random.standard_normal(shape) / np.sqrt(np.prod(shape[1:])))

    def add(
        self, operator: str, *more: str, source: str | None = None, **attributes: object
    ) -> str:
        name = f"n{len(self.nodes)}"
        inputs = [self.last if source is None else source, *more]
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        self.last = name
        return name

    def conv(self, into: int, out: int, kernel: int = 1, **attributes: object) -> str:
        pads = attributes.pop("pads", [kernel // 2] * 4)
        return self.add(
            "Conv", self.weights(out, into, kernel, kernel), self.weights(out),
            pads=pads, **attributes,
        )  # fmt: skip

    def model(self) -> ModelProto:
        image = helper.make_tensor_value_info(IN, TensorProto.FLOAT, [1, 3, *self.shape])
        out = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "net", [image], [out], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def without_threads(module: tvm.IRModule) -> None:
    """A GPU's grids become plain loops, in place."""
    for name, function in list(module.functions_items()):
        if isinstance(function, tvm.tirx.PrimFunc):
            text = re.sub(
                r'T\.thread_binding\((.*), thread="\w+\.\w"\)', r"T.serial(\1)", function.script()
            )
            assert "thread" not in text
            module.update_func(name, tvm.script.from_source(text))


def same(
    network: Network, target: str = "x86_64", threads: int = 2, gpu: bool = False
) -> dict[str, str]:
    """Both give the same for the same bytes; returns the rules that were used.

    With `gpu` the schedules are those of a GPU, run as plain loops.
    """
    model = network.model()
    content = model.SerializeToString()
    machine = targets.find(target)
    core, kind = machine.core(threads), machine.tvm(threads)
    lanes = CHANNELS if gpu else core.lanes
    module = relax_import.module(content, SCALE, OFFSET, lanes, kind)
    used = rules.apply(module, core, rules.GPU if gpu else rules.CPU)
    if gpu:
        without_threads(module)
    run = relax.VirtualMachine(lower(module, kind), tvm.cpu())["main"]
    image = np.random.default_rng(5).integers(0, 256, (1, *network.shape, 3), np.uint8)
    camera_bytes.run(model, SCALE, OFFSET)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, {session.get_inputs()[0].name: image})
    found: NDArray[np.float32] = run(tvm.runtime.tensor(image)).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-5)
    return used


@pytest.mark.parametrize(("height", "width"), [(8, 16), (9, 13), (1, 7), (34, 34)])
@pytest.mark.parametrize("out", [1, 5, 8, 24])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("gpu", [False, True])
def test_convolutions(height: int, width: int, out: int, kernel: int, gpu: bool) -> None:
    network = Network(height, width)
    network.conv(3, 6, 3)
    network.add("Relu")
    network.conv(6, out, kernel)
    assert "convolution" in same(network, gpu=gpu).values()


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [2, 2]},
        {"dilations": [2, 2], "pads": [2, 2, 2, 2]},
        {"pads": [0, 0, 0, 0]},
        {"pads": [1, 0, 2, 3]},
        {"strides": [1, 2]},
    ],
)
@pytest.mark.parametrize("gpu", [False, True])
def test_strides_dilation_padding(attributes: dict[str, object], gpu: bool) -> None:
    network = Network(12, 10)
    network.conv(3, 16, 3, **attributes)
    same(network, gpu=gpu)


@pytest.mark.parametrize(("channels", "group"), [(16, 16), (12, 12), (16, 4), (6, 2)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("gpu", [False, True])
def test_groups(channels: int, group: int, stride: int, gpu: bool) -> None:
    network = Network(11, 9)
    network.conv(3, channels)
    network.conv(channels // group, channels, 3, group=group, strides=[stride, stride])
    network.add("Clip", network.constant(0.0), network.constant(6.0))
    same(network, gpu=gpu)


@pytest.mark.parametrize(
    ("kernel", "attributes"),
    [
        (2, {}),
        (3, {"pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        (4, {"pads": [1, 1, 1, 1]}),
        (3, {}),  # gives 2n + 1 pixels
        (5, {"strides": [3, 3], "pads": [1, 0, 2, 1], "output_padding": [1, 0]}),
        (2, {"strides": [4, 4]}),
    ],
)
def test_transposed_convolutions(kernel: int, attributes: dict[str, object]) -> None:
    network = Network(7, 5)
    network.conv(3, 8)
    network.add(
        "ConvTranspose", network.weights(8, 4, kernel, kernel), network.weights(4),
        **{"strides": [2, 2], **attributes},
    )  # fmt: skip
    network.add("Relu")
    same(network)


def _resize(mode: str, centres: str) -> Callable[[Network], object]:
    def grow(network: Network) -> None:
        network.add(
            "Resize", "", network.constant([1, 1, 2, 2]),
            mode=mode, coordinate_transformation_mode=centres, nearest_mode="floor",
        )  # fmt: skip

    return grow


def _join(network: Network) -> None:
    left = network.last
    right = network.conv(8, 5)
    network.add("Concat", right, source=left, axis=1)


OPERATORS: dict[str, Callable[[Network], object]] = {
    "Add": lambda n: n.add("Add", n.last),
    "AveragePool": lambda n: n.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    "BatchNormalization": lambda n: n.add(
        "BatchNormalization", n.weights(8), n.weights(8), n.weights(8), n.constant([0.5] * 8)
    ),
    "Cast": lambda n: n.add("Cast", to=TensorProto.FLOAT),
    "Clip": lambda n: n.add("Clip", n.constant(0.0), n.constant(0.5)),
    "Concat": _join,
    "Conv": lambda n: n.conv(8, 8, 3),
    "DepthToSpace": lambda n: n.add("DepthToSpace", blocksize=2, mode="CRD"),
    "Div": lambda n: n.add("Div", n.constant(3.0)),
    "GlobalAveragePool": lambda n: n.add("GlobalAveragePool"),
    "Identity": lambda n: n.add("Identity"),
    "LeakyRelu": lambda n: n.add("LeakyRelu", alpha=0.1),
    "MatMul": lambda n: n.add("MatMul", n.weights(10, 4)),
    "MaxPool": lambda n: n.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "Mul": lambda n: n.add("Mul", n.weights(8, 1, 1)),
    "PRelu": lambda n: n.add("PRelu", n.weights(8, 1, 1)),
    "Pad": lambda n: n.add("Pad", n.constant([0, 0, 1, 2, 0, 0, 2, 1], np.int64)),
    "Relu": lambda n: n.add("Relu"),
    "Reshape": lambda n: n.add("Reshape", n.constant([1, 4, 24, 10], np.int64)),
    "Resize": _resize("linear", "half_pixel"),
    "Sigmoid": lambda n: n.add("Sigmoid"),
    "Slice": lambda n: n.add(
        "Slice", n.constant([1], np.int64), n.constant([5], np.int64), n.constant([1], np.int64)
    ),
    "Softmax": lambda n: n.add("Softmax", axis=1),
    "Squeeze": lambda n: n.add("Squeeze", n.constant([0], np.int64)),
    "Sub": lambda n: n.add("Sub", n.constant(0.25)),
    "Transpose": lambda n: n.add("Transpose", perm=[0, 2, 3, 1]),
    "Unsqueeze": lambda n: n.add("Unsqueeze", n.constant([0], np.int64)),
    "nearest": _resize("nearest", "asymmetric"),
}


@pytest.mark.parametrize("operator", sorted(OPERATORS))
@pytest.mark.parametrize("gpu", [False, True])
def test_operators(operator: str, gpu: bool) -> None:
    network = Network(12, 10)
    network.conv(3, 8, 3)
    OPERATORS[operator](network)
    same(network, gpu=gpu)


@pytest.mark.parametrize(
    "bounds",
    [
        lambda n: (n.constant(0.0), n.constant(0.5)),
        lambda n: (n.constant(-0.25),),
        lambda n: ("", n.constant(0.5)),
    ],
)
@pytest.mark.parametrize("gpu", [False, True])
def test_a_clip_is_part_of_the_convolution_before_it(
    bounds: Callable[[Network], tuple[str, ...]], gpu: bool
) -> None:
    network = Network(6, 10)
    for into in (3, 8):
        network.conv(into, 8, 3)
        network.add("Clip", *bounds(network))
    used = same(network, gpu=gpu)
    assert sorted(used.values()) == ["convolution", "convolution", "spatial", "spatial"]


def test_every_supported_operator_is_tested() -> None:
    elsewhere = {"Constant", "ConvTranspose", "Dropout", "Upsample"}  # here or in test_onnx_import
    assert elsewhere | set(OPERATORS) - {"nearest", "DepthToSpace"} == SUPPORTED


def test_instruction_set_without_a_power_of_two_of_registers() -> None:
    """A column of maps as narrow as one pixel, and vectors of sixteen lanes."""
    if "avx512f" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no AVX-512 to run it")
    network = Network(3, 1)
    network.conv(3, 48, 3)
    network.conv(48, 16)
    assert set(same(network, "x86_64-v4", 1).values()) == {"convolution", "spatial"}
