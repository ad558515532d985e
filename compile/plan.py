"""A rewritten ONNX graph as a list of bottlenecks for the hand-written schedules."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from compile.rewrite.graph import attribute
from compile.schedules.bottleneck import Bottleneck
from compile.schedules.maps import Image, Map
from compile.schedules.producers import Expand, Join, Producer, Stem
from compile.schedules.vector import Clip

OPEN: Clip = (None, None)


class NotCoveredError(Exception):
    """No hand-written schedule covers a node; its text names it."""


@dataclass(frozen=True)
class Step:
    """One call: the bottleneck, the values that it reads in its order, the value that it writes."""

    bottleneck: Bottleneck
    reads: tuple[str, ...]
    writes: str


@dataclass
class _Graph:
    """Look-up of one ONNX graph, and which nodes the plan has covered so far."""

    nodes: dict[str, NodeProto]  # by output
    readers: dict[str, list[NodeProto]]
    constants: dict[str, NDArray[np.float32]]
    outputs: tuple[str, ...]
    covered: set[str] = field(default_factory=set)

    def take(self, value: str, *operators: str) -> NodeProto:
        """The node that gives `value`, one of the operators.

        Raises:
            NotCoveredError: another operator.
        """
        node = self.nodes.get(value)
        if node is None or node.op_type not in operators:
            found = f"the input {value}" if node is None else describe(node)
            raise NotCoveredError(f"{found} stands where the schedules want {'/'.join(operators)}")
        self.covered.add(node.output[0])
        return node

    def next(self, value: str, *operators: str) -> NodeProto | None:
        """The only node that reads `value`, if it is one of the operators."""
        readers = self.readers.get(value, [])
        if len(readers) != 1 or value in self.outputs or readers[0].op_type not in operators:
            return None
        self.covered.add(readers[0].output[0])
        return readers[0]

    def only_reader(self, value: str, reader: NodeProto) -> None:
        """Raises NotCoveredError where another node needs `value`, which stays in the cache."""
        if len(self.readers[value]) != 1:
            raise NotCoveredError(f"{describe(reader)}: its input {value} is read elsewhere too")

    def weights(self, conv: NodeProto) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(out, in, h, w) and the bias, zeros where there is none."""
        weights = self.constants[conv.input[1]]
        bias = self.constants[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(weights))
        return weights, bias.astype(np.float32)

    def bounds(self, activation: NodeProto) -> Clip:
        """Of Relu or Clip."""
        if activation.op_type == "Relu":
            return (0.0, None)
        names = [*activation.input[1:], "", ""][:2]
        low, high = (float(self.constants[name]) if name else None for name in names)
        return (low, high)


def describe(node: NodeProto) -> str:
    """How messages name a node."""
    return f"{node.op_type} {node.name or node.output[0]}"


def plan(model: onnx.ModelProto, scale: float, offset: float, bytes_in: bool) -> list[Step]:
    """The steps of a network that is bottlenecks from the image to the probability.

    Args:
        model: static shapes, batch norms folded, pointwise convolutions below the upsampling.
        scale, offset: the network sees pixel * scale + offset.
        bytes_in: the artifact takes the camera's bytes, and the two are folded into the weights.

    Raises:
        NotCoveredError: a node that no schedule covers.
    """
    graph = _read(model)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    image = Image(shape[2], shape[3], bytes_in)
    values: dict[str, Map | Image] = {model.graph.input[0].name: image}
    normalise = (scale, offset) if bytes_in else (1.0, 0.0)
    steps: list[Step] = []
    for node in model.graph.node:
        if node.op_type == "Conv" and attribute(node, "group", 1) != 1:
            step = _bottleneck(graph, node, values, normalise)
            values[step.writes] = step.bottleneck.output
            steps.append(step)
    left = [n for n in model.graph.node if n.output[0] not in graph.covered]
    if left:
        raise NotCoveredError(f"{describe(left[0])}: no schedule for it beside the bottlenecks")
    if not steps or steps[-1].writes != graph.outputs[0]:
        raise NotCoveredError("the graph does not end in a bottleneck and a sigmoid")
    return steps


def _read(model: onnx.ModelProto) -> _Graph:
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return _Graph(
        {node.output[0]: node for node in model.graph.node},
        readers,
        {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer},
        tuple(output.name for output in model.graph.output),
    )


def _bottleneck(
    graph: _Graph,
    conv: NodeProto,
    values: dict[str, Map | Image],
    normalise: tuple[float, float],
) -> Step:
    """The bottleneck around a depthwise convolution."""
    graph.covered.add(conv.output[0])
    weights, bias = graph.weights(conv)
    strides = attribute(conv, "strides", [1, 1])
    pads = attribute(conv, "pads", [0, 0, 0, 0])
    if weights.shape[1:] != (1, 3, 3) or pads != [1, 1, 1, 1] or strides not in ([1, 1], [2, 2]):
        raise NotCoveredError(f"{describe(conv)}: not a depthwise 3x3, padding 1, stride 1 or 2")
    producer, reads = _producer(graph, conv, values, normalise)
    height, width = producer.size
    activation = graph.next(conv.output[0], "Clip", "Relu")
    inner = conv if activation is None else activation
    project = graph.next(inner.output[0], "Conv")
    if project is None:
        raise NotCoveredError(f"{describe(inner)}: no projection follows it alone")
    project_weights, project_bias = _pointwise(graph, project)
    last, residual, shortcut = project, None, None
    add = graph.next(project.output[0], "Add")
    if add is not None:
        other = next(name for name in add.input if name != project.output[0])
        if other not in values:
            through = graph.take(other, "Conv")
            graph.only_reader(other, add)
            shortcut, more = _pointwise(graph, through)
            project_bias = project_bias + more
            other = through.input[0]
        residual = values[other]
        if not isinstance(residual, Map):
            raise NotCoveredError(f"{describe(add)}: adds the image itself")
        reads, last = (*reads, other), add
    sigmoid = graph.next(last.output[0], "Sigmoid")
    final = sigmoid is not None
    if final and (len(project_bias) != 1 or residual is not None):
        raise NotCoveredError(f"{describe(last)}: the last projection gives more than one channel")
    return Step(
        Bottleneck(
            name=project.name or project.output[0],
            height=height,
            width=width,
            stride=int(strides[0]),
            producer=producer,
            depthwise=weights,
            depthwise_bias=bias,
            bounds=OPEN if activation is None else graph.bounds(activation),
            project=project_weights,
            project_bias=project_bias,
            residual=residual,
            shortcut=shortcut,
            final=final,
        ),
        reads,
        (sigmoid if sigmoid is not None else last).output[0],
    )


def _pointwise(graph: _Graph, conv: NodeProto) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(out, in) and bias of a 1x1 convolution, stride 1."""
    weights, bias = graph.weights(conv)
    plain = attribute(conv, "strides", [1, 1]) == [1, 1] and attribute(conv, "group", 1) == 1
    if weights.shape[2:] != (1, 1) or not plain:
        raise NotCoveredError(f"{describe(conv)}: not a pointwise convolution of stride 1")
    return weights[:, :, 0, 0], bias


def _producer(
    graph: _Graph,
    conv: NodeProto,
    values: dict[str, Map | Image],
    normalise: tuple[float, float],
) -> tuple[Producer, tuple[str, ...]]:
    """What computes the hidden map that a depthwise convolution reads."""
    scale, offset = normalise
    hidden, bounds, reader = conv.input[0], OPEN, conv
    graph.only_reader(hidden, reader)
    if (node := graph.nodes.get(hidden)) is not None and node.op_type in ("Clip", "Relu"):
        bounds, reader = graph.bounds(graph.take(hidden, "Clip", "Relu")), node
        hidden = node.input[0]
        graph.only_reader(hidden, reader)
    node = graph.take(hidden, "Conv", "Add")
    if node.op_type == "Add":
        return _join(graph, node, values, bounds, scale, offset)
    source = values.get(node.input[0])
    weights, bias = graph.weights(node)
    if isinstance(source, Map):
        weights, bias = _pointwise(graph, node)
        return Expand(source, weights, bias, bounds), (node.input[0],)
    stem = weights.shape[1:] == (3, 3, 3) and attribute(node, "group", 1) == 1
    strides, pads = attribute(node, "strides", []), attribute(node, "pads", [])
    if source is None or not stem or strides != [2, 2] or pads != [1, 1, 1, 1]:
        raise NotCoveredError(f"{describe(node)}: not a 3x3 stride 2 convolution of the image")
    # The border is 0 after normalisation: as a pixel value it is -offset / scale.
    bias = bias + offset * weights.sum(axis=(1, 2, 3))
    pad = -offset / scale if offset else 0.0
    return Stem(source, weights * scale, bias.astype(np.float32), bounds, pad), (node.input[0],)


def _join(
    graph: _Graph,
    add: NodeProto,
    values: dict[str, Map | Image],
    bounds: Clip,
    scale: float,
    offset: float,
) -> tuple[Join, tuple[str, ...]]:
    givers = {name: graph.nodes.get(name) for name in add.input}
    ups = [name for name, node in givers.items() if node and node.op_type == "Resize"]
    if len(ups) != 1:
        raise NotCoveredError(f"{describe(add)}: not an upsampled map plus a convolution")
    resize = graph.take(ups[0], "Resize")
    _check_doubling(graph, resize)
    skip = graph.take(next(name for name in add.input if name != ups[0]), "Conv")
    weights, bias = _pointwise(graph, skip)
    low, source = values.get(resize.input[0]), values.get(skip.input[0])
    if not isinstance(low, Map) or source is None:
        raise NotCoveredError(f"{describe(add)}: its inputs are not maps of earlier bottlenecks")
    for value in (resize.output[0], skip.output[0]):
        graph.only_reader(value, add)
    if isinstance(source, Image):
        bias = bias + offset * weights.sum(axis=1)
        weights = weights * scale
    join = Join(low, source, weights, bias.astype(np.float32), bounds)
    return join, (resize.input[0], skip.input[0])


def _check_doubling(graph: _Graph, resize: NodeProto) -> None:
    mode = attribute(resize, "mode", "nearest")
    centres = attribute(resize, "coordinate_transformation_mode", "half_pixel")
    scales = graph.constants.get(resize.input[2]) if len(resize.input) > 2 else None
    doubles = scales is not None and scales.size == 4 and list(scales) == [1, 1, 2, 2]
    if mode != "linear" or centres != "half_pixel" or not doubles:
        raise NotCoveredError(f"{describe(resize)}: not a bilinear half-pixel x2 upsampling")
