"""Output channels of a convolution fill whole vectors; what is too many is cut off after it."""

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from compile.rewrite.graph import Graph, attribute


def run(model: ModelProto, lanes: int) -> int:
    """Rewrites in place for vectors of `lanes` floats; returns how many it widened."""
    count = 0
    while _widen_one(model, lanes):
        count += 1
    return count


def _widen_one(model: ModelProto, lanes: int) -> bool:
    graph = Graph(model)
    for conv in model.graph.node:
        if conv.op_type != "Conv" or conv.input[1] not in graph.constants:
            continue
        weights = graph.constants[conv.input[1]]
        channels = len(weights)
        if channels % lanes == 0 or attribute(conv, "group", 1) != 1:
            continue
        more = -channels % lanes
        out = conv.output[0]
        arrays = {
            f"{out}.wide.weight": np.pad(weights, [(0, more)] + [(0, 0)] * (weights.ndim - 1)),
            f"{out}.wide.bias": np.pad(graph.bias(conv), (0, more)),
            f"{out}.wide.begin": np.array([0], np.int64),
            f"{out}.wide.end": np.array([channels], np.int64),
            f"{out}.wide.axis": np.array([1], np.int64),
        }
        for name, array in arrays.items():
            graph.proto.initializer.append(numpy_helper.from_array(array, name))
        names = list(arrays)
        wide = type(conv).FromString(conv.SerializeToString())
        del wide.input[1:], wide.output[:]
        wide.input.extend(names[:2])
        wide.output.append(f"{out}.wide")
        cut = helper.make_node("Slice", [f"{out}.wide", *names[2:]], [out], name=out)
        graph.replace(conv, [wide, cut], [])
        return True
    return False
