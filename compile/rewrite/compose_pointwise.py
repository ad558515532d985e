"""Two linear pointwise convolutions in a row become one: V (U h) = (V U) h.

M2U-Net's decoder projects to 64, 44 and 30 channels only for the next block to reduce them to 13, 9
and 5. Below the upsampling the two stand side by side, and their product is the smaller matrix.
It holds through an addition too: V (x + U h) = V x + (V U) h.
"""

from onnx import ModelProto, NodeProto, helper

from compile.rewrite.graph import Graph


def run(model: ModelProto) -> int:
    """Rewrites in place where it makes fewer multiply-adds; returns how often it did."""
    count = 0
    while _compose_one(model):
        count += 1
    return count


def _compose_one(model: ModelProto) -> bool:
    graph = Graph(model)
    for conv in model.graph.node:
        if graph.pointwise(conv) is None:
            continue
        first = graph.giver(conv.input[0], "Conv")
        if first is not None and _compose_pair(graph, first, conv):
            return True
        add = graph.giver(conv.input[0], "Add")
        if add is not None and _compose_sum(graph, add, conv):
            return True
    return False


def _compose_pair(graph: Graph, first: NodeProto, second: NodeProto) -> bool:
    u, v = graph.pointwise(first), graph.pointwise(second)
    if u is None or v is None or len(v) * u.shape[1] >= u.size + v.size:
        return False
    bias = v @ graph.bias(first) + graph.bias(second)
    composed = graph.convolution(first.input[0], v @ u, bias, f"{second.output[0]}.composed")
    composed.output[0] = second.output[0]
    graph.replace(second, [composed], [first])
    return True


def _compose_sum(graph: Graph, add: NodeProto, conv: NodeProto) -> bool:
    v = graph.pointwise(conv)
    for side, value in enumerate(add.input):
        first = graph.giver(value, "Conv")
        u = graph.pointwise(first)
        if first is None or u is None or v is None:
            continue
        if len(v) * (u.shape[1] + v.shape[1]) >= u.size + v.size:
            continue
        out = conv.output[0]
        bias = v @ graph.bias(first) + graph.bias(conv)
        inner = graph.convolution(first.input[0], v @ u, bias, f"{out}.composed")
        other = graph.convolution(add.input[1 - side], v, None, f"{out}.shortcut")
        both = helper.make_node("Add", [inner.output[0], other.output[0]], [out], name=out)
        graph.replace(conv, [inner, other, both], [add, first])
        return True
    return False
