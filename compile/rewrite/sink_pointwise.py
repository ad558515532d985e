"""A pointwise convolution after concat(upsample(a), b) moves below the upsampling.

Both are linear and the upsampling works on each channel alone: W [up(a); b] = up(Wa a) + Wb b. The
bias goes with a, since an interpolation keeps constants. At a quarter of the pixels the first
product costs a quarter, and neither the upsampled wide map nor the concatenation is ever written.
"""

from onnx import ModelProto, NodeProto, helper

from compile.rewrite.graph import Graph, attribute, shapes


def run(model: ModelProto) -> int:
    """Rewrites in place; returns how many convolutions it moved."""
    count = 0
    while _sink_one(model):
        count += 1
    return count


def _sink_one(model: ModelProto) -> bool:
    graph, sizes = Graph(model), shapes(model)
    for conv in model.graph.node:
        weights = graph.pointwise(conv)
        concat = graph.giver(conv.input[0], "Concat") if weights is not None else None
        if weights is None or concat is None or attribute(concat, "axis", 1) != 1:
            continue
        if len(concat.input) != 2:
            continue
        for side, value in enumerate(concat.input):
            resize = graph.giver(value, "Resize")
            if resize is None or not _is_bilinear_doubling(graph, resize):
                continue
            other = concat.input[1 - side]
            split = sizes[concat.input[0]][1]
            halves = (weights[:, :split], weights[:, split:])
            out = conv.output[0]
            low = graph.convolution(resize.input[0], halves[side], graph.bias(conv), f"{out}.below")
            up = NodeProto()
            up.CopyFrom(resize)
            up.input[0], up.output[0], up.name = low.output[0], f"{out}.up", f"{out}.up"
            beside = graph.convolution(other, halves[1 - side], None, f"{out}.skip")
            add = helper.make_node("Add", [up.output[0], beside.output[0]], [out], name=out)
            graph.replace(conv, [low, up, beside, add], [concat, resize])
            return True
    return False


def _is_bilinear_doubling(graph: Graph, resize: NodeProto) -> bool:
    scales = graph.constants.get(resize.input[2]) if len(resize.input) > 2 else None
    return (
        attribute(resize, "mode", "nearest") == "linear"
        and attribute(resize, "coordinate_transformation_mode", "half_pixel") == "half_pixel"
        and scales is not None
        and [float(scale) for scale in scales] == [1, 1, 2, 2]
    )
