"""Look-up and surgery on an ONNX graph, as far as the passes need it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper, shape_inference


class Graph:
    """A model's graph with its nodes by output, its readers by value and its constants.

    The look-ups are taken once: a pass that changed the graph makes a new Graph.
    """

    def __init__(self, model: ModelProto) -> None:
        self.proto: GraphProto = model.graph
        self.givers: dict[str, NodeProto] = {}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in self.proto.node:
            for name in node.output:
                self.givers[name] = node
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.constants: dict[str, NDArray[np.float32]] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in self.proto.initializer
        }
        self._outputs = {output.name for output in self.proto.output}

    def giver(self, value: str, operator: str) -> NodeProto | None:
        """The node that gives `value` to one reader alone, if it is this operator."""
        node = self.givers.get(value)
        if node is None or node.op_type != operator:
            return None
        alone = len(self.readers.get(value, [])) == 1 and value not in self._outputs
        return node if alone else None

    def pointwise(self, conv: NodeProto | None) -> NDArray[np.float32] | None:
        """(out, in) of a 1x1 convolution of stride 1, one group, no padding; else None."""
        if conv is None or conv.op_type != "Conv" or conv.input[1] not in self.constants:
            return None
        weights = self.constants[conv.input[1]]
        plain = (
            weights.shape[2:] == (1, 1)
            and all(stride == 1 for stride in attribute(conv, "strides", [1]))
            and not any(attribute(conv, "pads", [0]))
            and attribute(conv, "group", 1) == 1
        )
        return weights[:, :, 0, 0] if plain else None

    def bias(self, conv: NodeProto) -> NDArray[np.float32]:
        """(out,), zeros where the convolution has none."""
        if len(conv.input) > 2 and conv.input[2]:
            return self.constants[conv.input[2]]
        return np.zeros(len(self.constants[conv.input[1]]), np.float32)

    def convolution(
        self,
        source: str,
        weights: NDArray[np.floating],
        bias: NDArray[np.floating] | None,
        output: str,
    ) -> NodeProto:
        """A pointwise convolution with constants of its own; it is not yet in the graph."""
        arrays = {f"{output}.weight": weights[:, :, None, None]}
        if bias is not None:
            arrays[f"{output}.bias"] = bias
        for name, array in arrays.items():
            tensor = numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)
            self.proto.initializer.append(tensor)
        return helper.make_node("Conv", [source, *arrays], [output], name=output)

    def replace(
        self, node: NodeProto, new: Sequence[NodeProto], dropped: Sequence[NodeProto]
    ) -> None:
        """Puts `new` in the place of `node`; takes `dropped` and unread constants out."""
        gone = {id(one) for one in (node, *dropped)}
        kept: list[NodeProto] = []
        for one in self.proto.node:
            if one is node or one.output[0] == node.output[0]:
                kept.extend(new)
            elif one.output[0] not in {d.output[0] for d in dropped} and id(one) not in gone:
                kept.append(one)
        copies = [_copy(one) for one in kept]
        del self.proto.node[:]
        self.proto.node.extend(copies)
        read = {name for one in self.proto.node for name in one.input}
        for tensor in [t for t in self.proto.initializer if t.name not in read]:
            self.proto.initializer.remove(tensor)


def _copy(node: NodeProto) -> NodeProto:
    copied = NodeProto()
    copied.CopyFrom(node)
    return copied


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """An attribute of a node, text for byte strings."""
    for one in node.attribute:
        if one.name == name:
            value = helper.get_attribute_value(one)
            return value.decode() if isinstance(value, bytes) else value
    return default


def shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """The static shape of every value; a model with open sizes gives zeros in their place."""
    # Stale shapes of replaced values would be taken for true.
    bare = ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    graph = shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True).graph
    return {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
