"""`python -m compile.export`: a checkpoint's network as ONNX.

float32 image in, probability out, batch norms folded, no training operators.
"""

import argparse
import copy
import io
import logging
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from compile.rewrite import fold_batch_norms as onnx_norms
from compile.size import Size, parse_size, square
from edge_vessel.atomic import write_file
from edge_vessel.errors import EdgeVesselError, UsageError
from train.models.checkpoint import load_network
from train.models.cost import input_shape

OPSET = 18
INPUT, OUTPUT = "image", "probability"
PATCH, LOGITS = "patch", "logits"
_NORMS = nn.BatchNorm2d | nn.BatchNorm3d
_TRAINING_OPERATORS = {"BatchNormalization", "Dropout"}


class Probability(nn.Module):
    """The network with its sigmoid inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.network(image))


def fold_batch_norms(network: nn.Module) -> int:
    """Folds each batch norm into the convolution before it, in place; returns how many.

    Source: Jacob et al. 2018, section 3.2. It takes the pairs that follow one another in a
    Sequential, which is how every network of `train.models` is written.

    Raises:
        UsageError: the network is in training mode.
    """
    if network.training:
        raise UsageError("a network in training mode cannot be exported: call eval() first")
    folded = 0
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        children = list(module.named_children())
        for (name, first), (next_name, second) in pairwise(children):
            if isinstance(first, nn.Conv2d | nn.Conv3d) and isinstance(second, _NORMS):
                # In float32 the products' own rounding would add to that of the weights.
                fused = nn.utils.fusion.fuse_conv_bn_eval(first.double(), second.double())
                setattr(module, name, fused.float())
                setattr(module, next_name, nn.Identity())
                folded += 1
    return folded


def to_onnx(network: nn.Module, size: Size, dynamic_batch: bool = False) -> bytes:
    """The network, its batch norms folded, as an ONNX file.

    Args:
        network: in evaluation mode; it is not changed.
        size: of the input, multiples of the network's own.
        dynamic_batch: leave the batch open; 1 otherwise.

    Returns:
        A checked ONNX model: `image` (N, 3, H, W) -> `probability` (N, 1, H, W).

    Raises:
        UsageError: the size does not fit, or the network is in training mode.
    """
    _check_size(network, size)
    # torch.export reads a batch of 1 as a constant.
    example = torch.zeros(2 if dynamic_batch else 1, 3, *size)
    shapes = ({0: torch.export.Dim("batch", min=1)},) if dynamic_batch else None
    return _export(Probability(_folded(network)).eval(), example, INPUT, OUTPUT, shapes)


def volume_to_onnx(network: nn.Module, size: Size) -> bytes:
    """A network of `train.models.OCTA_MODELS`, its batch norms folded, as an ONNX file.

    Returns:
        A checked ONNX model: `patch` (1, channels, depth, H, W) -> `logits` (1, classes, H, W),
        which are blended before they become probabilities.

    Raises:
        UsageError: as `to_onnx`.
    """
    _check_size(network, size)
    example = torch.zeros(input_shape(network, *size))
    return _export(_folded(network), example, PATCH, LOGITS, None)


def _check_size(network: nn.Module, size: Size) -> None:
    multiple = int(getattr(network, "multiple", 1))
    if any(side < multiple or side % multiple for side in size):
        raise UsageError(f"size {size}: must be a multiple of {multiple}")


def _folded(network: nn.Module) -> nn.Module:
    copied = copy.deepcopy(network)
    fold_batch_norms(copied)
    return copied


def _export(
    network: nn.Module, example: Tensor, given: str, found: str, shapes: Any | None
) -> bytes:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[given],
            output_names=[found],
            dynamic_shapes=shapes,
            verbose=False,
        )
    buffer = io.BytesIO()
    program.save(buffer)
    model = onnx.load_from_string(buffer.getvalue())
    _strip(model)
    onnx_norms.run(model)
    onnx.checker.check_model(model, full_check=True)
    left = _TRAINING_OPERATORS & {node.op_type for node in model.graph.node}
    if left:
        raise UsageError(f"the exported graph still holds {', '.join(sorted(left))}")
    content: bytes = model.SerializeToString()
    return content


def _strip(model: onnx.ModelProto) -> None:
    """Takes out what names this machine: the exporter writes stack traces into the nodes."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]


def main(arguments: list[str] | None = None) -> int:
    """Writes one ONNX file, whole or not at all."""
    parse = argparse.ArgumentParser(prog="python -m compile.export", description=__doc__)
    parse.add_argument("checkpoint", type=Path)
    parse.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parse.add_argument("--size", type=parse_size, default=square(544), metavar="PX|HxW")
    parse.add_argument("--dynamic-batch", action="store_true", help="leave the batch open")
    options = parse.parse_args(arguments)
    try:
        name, network = load_network(options.checkpoint)
        content = to_onnx(network, options.size, options.dynamic_batch)
        write_file(options.output, content)
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    batch = "any" if options.dynamic_batch else "1"
    sys.stdout.write(
        f"{options.output}: {name}, batch {batch}, {options.size}, opset {OPSET}, "
        f"{len(content)} bytes\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
