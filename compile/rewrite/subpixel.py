"""A transposed convolution becomes a convolution and a shuffle of its channels.

With stride s each of the s x s output phases is a small convolution of the input: one convolution
computes them as channels, DepthToSpace lays them side by side. No zeros are multiplied that a
stride would insert. Source: Shi et al. 2016, section 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from compile.rewrite.graph import Graph, attribute


@dataclass(frozen=True)
class _Axis:
    """One axis: output s*q + phase reads input q - d with tap s*d + phase + begin.

    Attributes:
        taps: of the transposed convolution.
        begin: padding that it takes off at the start.
        grown: output pixels beyond s * (input - 1).
    """

    stride: int
    taps: int
    begin: int
    grown: int

    @property
    def shifts(self) -> tuple[int, int]:
        """The least and the greatest d of any tap, 0 among them."""
        found = [
            d
            for d in range(-self.taps - self.begin, self.taps + 1)
            for phase in range(self.stride)
            if 0 <= self.stride * d + phase + self.begin < self.taps
        ]
        return min(*found, 0), max(*found, 0)

    @property
    def size(self) -> int:
        """Of the new kernel."""
        low, high = self.shifts
        return high - low + 1

    @property
    def more(self) -> int:
        """Outputs of the new convolution beyond the input's size."""
        return -(-self.grown // self.stride) - 1

    @property
    def cut(self) -> int:
        """Pixels at the end that the last phases give too many."""
        return self.stride * (self.more + 1) - self.grown

    def tap(self, phase: int, index: int) -> int | None:
        """The transposed convolution's tap at a place of the new kernel; None for a zero."""
        found = self.stride * (self.shifts[1] - index) + phase + self.begin
        return found if 0 <= found < self.taps else None


def run(model: ModelProto) -> int:
    """Rewrites in place; returns how many it replaced."""
    count = 0
    while _replace_one(model):
        count += 1
    return count


def _replace_one(model: ModelProto) -> bool:
    graph = Graph(model)
    for node in model.graph.node:
        if node.op_type != "ConvTranspose" or node.input[1] not in graph.constants:
            continue
        weights = graph.constants[node.input[1]]
        axes = _axes(node, weights.shape)
        if axes is None:
            continue
        graph.replace(node, _shuffled(graph, node, weights, axes), [])
        return True
    return False


def _axes(node: NodeProto, shape: tuple[int, ...]) -> tuple[_Axis, _Axis] | None:
    """None where the node has groups, dilation, two strides or an output size of its own."""
    strides = attribute(node, "strides", [1, 1])
    plain = (
        len(shape) == 4
        and attribute(node, "group", 1) == 1
        and len(set(strides)) == 1
        and strides[0] > 1
        and all(one == 1 for one in attribute(node, "dilations", [1, 1]))
        and attribute(node, "auto_pad", "NOTSET") == "NOTSET"
        and not attribute(node, "output_shape", [])
    )
    if not plain:
        return None
    pads = attribute(node, "pads", [0, 0, 0, 0])
    extra = attribute(node, "output_padding", [0, 0])
    grown = [shape[2 + i] - pads[i] - pads[2 + i] + extra[i] for i in (0, 1)]
    rows, columns = (_Axis(strides[0], shape[2 + i], pads[i], grown[i]) for i in (0, 1))
    return rows, columns


def _shuffled(
    graph: Graph, node: NodeProto, weights: NDArray[np.float32], axes: tuple[_Axis, _Axis]
) -> list[NodeProto]:
    rows, columns = axes
    stride, (inputs, outputs) = rows.stride, weights.shape[:2]
    kernel = np.zeros((outputs, stride, stride, inputs, rows.size, columns.size), np.float32)
    for a, b, i, j in np.ndindex(stride, stride, rows.size, columns.size):
        row, column = rows.tap(a, i), columns.tap(b, j)
        if row is not None and column is not None:
            kernel[:, a, b, :, i, j] = weights[:, :, row, column].T
    out = node.output[0]
    arrays = {f"{out}.phases.weight": kernel.reshape(-1, inputs, rows.size, columns.size)}
    if len(node.input) > 2 and node.input[2]:
        arrays[f"{out}.phases.bias"] = np.repeat(graph.constants[node.input[2]], stride**2)
    low, high = zip(rows.shifts, columns.shifts, strict=True)
    phases = helper.make_node(
        "Conv",
        [node.input[0], *arrays],
        [f"{out}.phases"],
        name=f"{out}.phases",
        kernel_shape=[rows.size, columns.size],
        pads=[*high, rows.more - low[0], columns.more - low[1]],
    )
    shuffle = helper.make_node(
        "DepthToSpace", phases.output, [out], name=out, blocksize=stride, mode="CRD"
    )
    nodes = [phases, shuffle]
    if rows.cut or columns.cut:
        whole = np.iinfo(np.int64).max
        ends = [-axis.cut if axis.cut else whole for axis in axes]
        cuts = {f"{out}.cut.begin": [0, 0], f"{out}.cut.end": ends, f"{out}.cut.axes": [2, 3]}
        arrays |= {name: np.array(values, np.int64) for name, values in cuts.items()}
        shuffle.output[0] = f"{out}.shuffled"
        nodes.append(helper.make_node("Slice", [*shuffle.output, *cuts], [out], name=out))
    for name, array in arrays.items():
        graph.proto.initializer.append(numpy_helper.from_array(array, name))
    return nodes
