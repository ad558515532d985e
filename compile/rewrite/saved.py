"""What a network costs, and what a pass took off it."""

import math
from dataclasses import dataclass

from onnx import ModelProto

from compile.rewrite.graph import Graph, shapes

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Cost:
    """Of one inference: multiply-adds of all convolutions, bytes of all maps written once."""

    multiply_adds: int
    activation_bytes: int


@dataclass(frozen=True)
class Saved:
    """How often a pass found its pattern, and the cost around it."""

    name: str
    count: int
    before: Cost
    after: Cost


def cost(model: ModelProto) -> Cost:
    """Of a model with static shapes."""
    graph, found = Graph(model), shapes(model)
    adds, size = 0, 0
    for node in model.graph.node:
        out = found.get(node.output[0], ())
        size += math.prod(out) * FLOAT_BYTES
        if node.op_type == "Conv" and node.input[1] in graph.constants:
            weights = graph.constants[node.input[1]]
            adds += math.prod(out) * math.prod(weights.shape[1:])
    return Cost(adds, size)
