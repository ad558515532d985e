"""The graph takes the camera's bytes: uint8 (1, H, W, 3) in place of float32 (1, 3, H, W)."""

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edge_vessel.preprocessing import OFFSET, SCALE

_BYTES = "camera_bytes"


def run(model: ModelProto, scale: float, offset: float) -> None:
    """Rewrites in place: the network sees pixel * scale + offset."""
    graph = model.graph
    image = graph.input[0]
    _, channels, height, width = (d.dim_value for d in image.type.tensor_type.shape.dim)
    constants = {f"{_BYTES}.scale": scale, f"{_BYTES}.offset": offset}
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    # The transposition moves bytes, a quarter of what it would move as floats.
    nodes = [
        helper.make_node("Transpose", [_BYTES], [f"{_BYTES}.planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", [f"{_BYTES}.planes"], [f"{_BYTES}.floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{_BYTES}.floats", f"{_BYTES}.scale"], [f"{_BYTES}.scaled"]),
        helper.make_node("Add", [f"{_BYTES}.scaled", f"{_BYTES}.offset"], [image.name]),
    ]
    for node in nodes:
        node.name = node.output[0]
    kept = [*nodes, *graph.node]
    copies = [type(node).FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(copies)
    taken = helper.make_tensor_value_info(_BYTES, TensorProto.UINT8, [1, height, width, channels])
    image.CopyFrom(taken)
    del graph.value_info[:]


def with_camera_bytes(content: bytes) -> bytes:
    """A model in ONNX that takes the camera's bytes, checked."""
    model = onnx.load_from_string(content)
    run(model, SCALE, OFFSET)
    onnx.checker.check_model(model, full_check=True)
    taken: bytes = model.SerializeToString()
    return taken
