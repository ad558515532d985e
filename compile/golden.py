"""golden.npz: one input and what it must give, for the self-test on the device."""

import io
from collections.abc import Callable

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compile.export import INPUT
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


def golden_bytes(model: bytes, photograph: NDArray[np.uint8], size: int) -> bytes:
    """`image` (size, size, 3) uint8 and `probability` (size, size) float16, compressed.

    Args:
        model: ONNX, as `compile.export` writes it.
        photograph: (H, W, 3) uint8 RGB of a fundus, free to be passed on.

    Raises:
        UsageError: the photograph shows no fundus.
    """
    fov = find_field_of_view(photograph)
    if fov is None:
        raise UsageError("the golden photograph shows no fundus: name another with --golden")
    image = Crop.around(fov, *photograph.shape[:2], size).to_network(photograph)
    probability = onnx_predictor(model)(image)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, image=image, probability=probability.astype(np.float16))
    return buffer.getvalue()
