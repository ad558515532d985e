"""Any segmentation network as ONNX, brought into the form that the rewrites expect.

The M2U-Net authors published files that say opset 9 but hold opset 7's Upsample, with the scales
as an attribute and mode "bilinear". ONNX has no such mode; their PyTorch computed half-pixel
bilinear upsampling, which is what such a node becomes here.
"""

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, checker, helper, numpy_helper, version_converter

from compile.export import INPUT, OPSET, OUTPUT
from compile.rewrite import fold_batch_norms
from compile.rewrite.graph import attribute, shapes
from compile.size import Size
from edge_vessel.errors import UsageError

_SUPPORTED = """
Add AveragePool BatchNormalization Cast Clip Concat Constant Conv ConvTranspose Div Dropout
GlobalAveragePool Identity LeakyRelu MatMul MaxPool Mul PRelu Pad Relu Reshape Resize Sigmoid
Slice Softmax Squeeze Sub Transpose Unsqueeze Upsample
"""
SUPPORTED = frozenset(_SUPPORTED.split())


def load(path: Path, size: Size, add_sigmoid: bool = False) -> bytes:
    """Reads an ONNX file for an input of one size.

    Args:
        size: of the input; open sizes are fixed to it.
        add_sigmoid: the file gives logits.

    Returns:
        ONNX of opset 18: `image` (1, 3, H, W) float32 -> `probability` (1, 1, H, W),
        batch norms folded.

    Raises:
        UsageError: no ONNX file, an operator that is not supported, or another form of input or
            output.
    """
    try:
        model = onnx.load(path)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except (OSError, DecodeError, ValueError, checker.ValidationError) as error:
        line = (str(error).strip().splitlines() or ["unreadable"])[0]
        raise UsageError(f"{path}: not an ONNX file that can be read: {line}") from error
    if not model.graph.node:
        raise UsageError(f"{path}: not an ONNX file, or one without a network")
    for node in model.graph.node:
        if node.op_type not in SUPPORTED or node.domain not in ("", "ai.onnx"):
            raise UsageError(
                f"{path}: node {node.name or node.output[0]}: operator {node.op_type} is not "
                f"supported; supported are {' '.join(sorted(SUPPORTED))}"
            )
    _weights_are_no_inputs(model)
    _without_dropout(model)
    _modern_upsampling(model)
    _fix_size(model, path, size)
    try:
        model = version_converter.convert_version(model, OPSET)
        _constants_as_initializers(model)
        _rename(model, add_sigmoid)
        fold_batch_norms.run(model)
        found = shapes(model)
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError) as error:
        line = (str(error).strip().splitlines() or ["unreadable"])[0]
        raise UsageError(f"{path}: not a valid network at {size}: {line}") from error
    if found.get(OUTPUT) != (1, 1, *size):
        raise UsageError(
            f"{path}: gives {found.get(OUTPUT)}, not one map {(1, 1, *size)}; is {size} a size "
            "that it was made for?"
        )
    content: bytes = model.SerializeToString()
    return content


def _weights_are_no_inputs(model: ModelProto) -> None:
    """Before IR version 4 weights stood among the inputs too."""
    names = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 8)


def _without_dropout(model: ModelProto) -> None:
    """Inference drops nothing; opset 7 and 8 forms with a mask output are left to the checker."""
    for node in model.graph.node:
        if node.op_type == "Dropout" and len(node.output) == 1:
            same = helper.make_node("Identity", node.input[:1], node.output, name=node.name)
            node.CopyFrom(same)


def _modern_upsampling(model: ModelProto) -> None:
    """Upsample becomes a half-pixel Resize; the opset label rises to the first that has it."""
    upsamples = [node for node in model.graph.node if node.op_type == "Upsample"]
    if not upsamples:
        return
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for number, node in enumerate(upsamples):
        scales = attribute(node, "scales", None)
        if scales is None:
            scales = numpy_helper.to_array(constants[node.input[1]])
        mode = attribute(node, "mode", "nearest")
        name = f"upsample{number}.scales"
        model.graph.initializer.append(
            numpy_helper.from_array(np.asarray(scales, np.float32), name)
        )
        bilinear = mode in ("bilinear", "linear")
        resize = helper.make_node(
            "Resize",
            [node.input[0], "", name],
            list(node.output),
            name=node.name,
            mode="linear" if bilinear else "nearest",
            coordinate_transformation_mode="half_pixel" if bilinear else "asymmetric",
            **({} if bilinear else {"nearest_mode": "floor"}),
        )
        node.CopyFrom(resize)
    for node in model.graph.node:
        if node.op_type == "Clip" and len(node.input) == 1:
            _clip_of_opset_11(model, node)
        # Attributes that opset 11 knows no more, or checks.
        for gone in ("consumed_inputs", "is_test", "spatial"):
            for one in [a for a in node.attribute if a.name == gone]:
                node.attribute.remove(one)
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.version = max(opset.version, 11)


def _clip_of_opset_11(model: ModelProto, node: NodeProto) -> None:
    """The bounds move from attributes to inputs."""
    for bound in ("min", "max"):
        value = attribute(node, bound, None)
        name = f"{node.output[0]}.{bound}" if value is not None else ""
        if name:
            array = np.array(value, np.float32)
            model.graph.initializer.append(numpy_helper.from_array(array, name))
        node.input.append(name)
    del node.attribute[:]


def _fix_size(model: ModelProto, path: Path, size: Size) -> None:
    inputs, outputs = model.graph.input, model.graph.output
    if len(inputs) != 1 or len(outputs) != 1:
        raise UsageError(
            f"{path}: {len(inputs)} inputs and {len(outputs)} outputs; one image and one map wanted"
        )
    wanted = (1, 3, *size)
    given = inputs[0].type.tensor_type.shape.dim
    free = [not d.HasField("dim_value") or d.dim_value <= 0 for d in given]
    fits = len(given) == len(wanted) and all(
        open_ or d.dim_value == want for open_, d, want in zip(free, given, wanted, strict=False)
    )
    if not fits:
        sizes = "x".join(d.dim_param or str(d.dim_value) for d in given)
        raise UsageError(f"{path}: takes {sizes}, not 1x3x{size}; give its --size")
    for dimension, want in zip(given, wanted, strict=True):
        dimension.dim_value = want
    # Their sizes follow from the input's.
    outputs[0].type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def _constants_as_initializers(model: ModelProto) -> None:
    for node in [node for node in model.graph.node if node.op_type == "Constant"]:
        tensor = attribute(node, "value", None)
        if tensor is None:
            continue
        tensor.name = node.output[0]
        model.graph.initializer.append(tensor)
        model.graph.node.remove(node)


def _rename(model: ModelProto, add_sigmoid: bool) -> None:
    """The image and the probability get the names that the rest of the compiler uses."""
    graph = model.graph
    if add_sigmoid:
        logits = graph.output[0].name
        graph.node.append(helper.make_node("Sigmoid", [logits], [f"{logits}.sigmoid"]))
        graph.output[0].name = f"{logits}.sigmoid"
    names = {graph.input[0].name: INPUT, graph.output[0].name: OUTPUT}
    for node in graph.node:
        for values in (node.input, node.output):
            for index, name in enumerate(values):
                values[index] = names.get(name, name)
    graph.input[0].name, graph.output[0].name = INPUT, OUTPUT
