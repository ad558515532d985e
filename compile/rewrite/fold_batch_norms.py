"""A batch norm after a convolution goes into its weights.

Source: Jacob et al. 2018, section 3.2. Exports of `train.models` have none left; imported files do.
"""

import numpy as np
from onnx import ModelProto, NodeProto, numpy_helper

from compile.rewrite.graph import Graph, attribute


def run(model: ModelProto) -> int:
    """Rewrites in place; returns how many it folded."""
    count = 0
    while _fold_one(model):
        count += 1
    return count


def _fold_one(model: ModelProto) -> bool:
    graph = Graph(model)
    for norm in model.graph.node:
        if norm.op_type != "BatchNormalization" or len(norm.output) != 1:
            continue
        conv = graph.giver(norm.input[0], "Conv")
        known = conv is not None and conv.input[1] in graph.constants
        if conv is None or not known or any(x not in graph.constants for x in norm.input[1:]):
            continue
        gain, shift, mean, variance = (graph.constants[name] for name in norm.input[1:])
        factor = gain / np.sqrt(variance + attribute(norm, "epsilon", 1e-5))
        weights = graph.constants[conv.input[1]] * factor[:, None, None, None]
        bias = (graph.bias(conv) - mean) * factor + shift
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
