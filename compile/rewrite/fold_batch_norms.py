"""A batch norm after a convolution goes into its weights; any other becomes a multiply and an add.

Source: Jacob et al. 2018, section 3.2. Networks with norms after a concatenation (ERFNet) and
imported files have such.
"""

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from compile.rewrite.graph import Graph, attribute


def run(model: ModelProto) -> int:
    """Rewrites in place; returns how many it folded."""
    count = 0
    while _fold_one(model):
        count += 1
    while _spell_out_one(model):
        count += 1
    return count


def _fold_one(model: ModelProto) -> bool:
    graph = Graph(model)
    for norm in model.graph.node:
        if norm.op_type != "BatchNormalization" or len(norm.output) != 1:
            continue
        conv = graph.giver(norm.input[0], "Conv")
        known = conv is not None and conv.input[1] in graph.constants
        if conv is None or not known or (found := _gain_and_shift(graph, norm)) is None:
            continue
        factor, shift = found
        weights = graph.constants[conv.input[1]]
        weights = weights * factor.reshape(-1, *[1] * (weights.ndim - 1))
        bias = graph.bias(conv) * factor + shift
        names = [f"{norm.output[0]}.weight", f"{norm.output[0]}.bias"]
        for name, array in zip(names, (weights, bias), strict=True):
            tensor = numpy_helper.from_array(array.astype(np.float32), name)
            graph.proto.initializer.append(tensor)
        folded = NodeProto()
        folded.CopyFrom(conv)
        del folded.input[1:], folded.output[:]
        folded.input.extend(names)
        folded.output.append(norm.output[0])
        graph.replace(norm, [folded], [conv])
        return True
    return False


def _spell_out_one(model: ModelProto) -> bool:
    graph = Graph(model)
    for norm in model.graph.node:
        if norm.op_type != "BatchNormalization" or len(norm.output) != 1:
            continue
        found = _gain_and_shift(graph, norm)
        if found is None:
            continue
        out = norm.output[0]
        names = [f"{out}.gain", f"{out}.shift"]
        for name, array in zip(names, found, strict=True):
            tensor = numpy_helper.from_array(array[:, None, None].astype(np.float32), name)
            graph.proto.initializer.append(tensor)
        scaled = helper.make_node(
            "Mul", [norm.input[0], names[0]], [f"{out}.scaled"], name=f"{out}.scaled"
        )
        shifted = helper.make_node("Add", [scaled.output[0], names[1]], [out], name=out)
        graph.replace(norm, [scaled, shifted], [])
        return True
    return False


def _gain_and_shift(
    graph: Graph, norm: NodeProto
) -> tuple[NDArray[np.floating], NDArray[np.floating]] | None:
    """It computes x * gain + shift, each (channels,); None where a weight is no constant."""
    if any(name not in graph.constants for name in norm.input[1:]):
        return None
    gain, shift, mean, variance = (graph.constants[name] for name in norm.input[1:])
    factor = gain / np.sqrt(variance + attribute(norm, "epsilon", 1e-5))
    return factor, shift - mean * factor
