"""golden.npz: one input and what it must give, for the self-test on the device."""

import io
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from compile.export import INPUT
from compile.size import Size
from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import Crop, find_field_of_view, normalise


def onnx_predictor(model: bytes) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """(H, W, 3) uint8 RGB of the network's size -> probability (H, W) float32."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def predict(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        (probability,) = session.run(None, {INPUT: normalise(image)[None]})
        found: NDArray[np.float32] = probability[0, 0]
        return found

    return predict


def input_size(model: bytes) -> Size:
    """Of a network in ONNX with static shapes, `image` (1, 3, H, W)."""
    shape = onnx.load_from_string(model).graph.input[0].type.tensor_type.shape.dim
    return Size(shape[2].dim_value, shape[3].dim_value)


def golden_bytes(model: bytes, photograph: NDArray[np.uint8]) -> bytes:
    """`image` (H, W, 3) uint8 and `probability` (H, W) float16 of the network's size, compressed.

    Args:
        model: ONNX, as `compile.export` writes it.
        photograph: (h, w, 3) uint8 RGB of a fundus, free to be passed on.

    Raises:
        UsageError: the photograph shows no fundus.
    """
    fov = find_field_of_view(photograph)
    if fov is None:
        raise UsageError("the golden photograph shows no fundus: name another with --golden")
    crop = Crop.around(fov, *photograph.shape[:2], *input_size(model))
    image = crop.to_network(photograph)
    probability = onnx_predictor(model)(image)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, image=image, probability=probability.astype(np.float16))
    return buffer.getvalue()
