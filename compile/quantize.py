"""Static int8 quantisation for ONNX Runtime: uint8 activations, int8 weights per channel, QDQ.

Ranges are the least and greatest values over the training photographs (Jacob et al. 2018); all
operators are quantised, since leaving some in float costs conversions and, where the residual
additions stay in float, accuracy (compile/README.md has the figures).
"""

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from compile.export import INPUT
from compile.golden import input_size
from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import Crop, find_field_of_view, normalise
from train.data.dataset import DataSet, load

MAX_DICE_LOSS = 0.005


def calibration_photographs(
    dataset: DataSet, root: Path, content: bytes
) -> list[NDArray[np.uint8]]:
    """The training photographs as the network of `content` sees them, (H, W, 3) uint8.

    Raises:
        UsageError: the data set is not below `root`.
    """
    size, crops = input_size(content), []
    for record in dataset.records(root, "train"):
        image = load(record).image
        fov = find_field_of_view(image)
        if fov is not None:
            crops.append(Crop.around(fov, *image.shape[:2], *size).to_network(image))
    return crops


def quantize(content: bytes, photographs: Sequence[NDArray[np.uint8]]) -> bytes:
    """A rewritten float32 network with int8 arithmetic; its input and output stay float32.

    Args:
        content: ONNX, `image` (1, 3, H, W) -> `probability` (1, 1, H, W).
        photographs: what its ranges are taken from, (H, W, 3) uint8 each.

    Raises:
        UsageError: no photographs, or a network that is quantised already.
    """
    if not photographs:
        raise UsageError("int8 needs training photographs to find its ranges: none were given")
    operators = {node.op_type for node in onnx.load_from_string(content).graph.node}
    if "QuantizeLinear" in operators:
        raise UsageError("the network is quantised already: give it with --precision fp32")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, prepared, made = (str(Path(folder) / f"{n}.onnx") for n in ("given", "prep", "int8"))
        Path(given).write_bytes(content)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            made,
            _Photographs(photographs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        model = onnx.load(made)
    # The quantiser names itself and its temporary files.
    del model.metadata_props[:]
    model.producer_name = model.producer_version = ""
    onnx.checker.check_model(model, full_check=True)
    quantised: bytes = model.SerializeToString()
    return quantised


class _Photographs(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """One batch a photograph."""

    def __init__(self, photographs: Sequence[NDArray[np.uint8]]) -> None:
        self._left: Iterator[NDArray[np.uint8]] = iter(photographs)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch, None after the last."""
        image = next(self._left, None)
        return None if image is None else {INPUT: normalise(image)[None]}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
