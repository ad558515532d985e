"""What a network costs: parameters and multiply-adds."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(network: nn.Module) -> int:
    """Trainable numbers, batch norms' scales and shifts included."""
    return sum(parameter.numel() for parameter in network.parameters())


def input_shape(network: nn.Module, height: int, width: int) -> tuple[int, ...]:
    """Of one image: (1, 3, height, width), or (1, channels, depth, height, width) where the network
    says its channels and depth, as those of OCTA do."""
    if hasattr(network, "depth"):
        return (1, int(network.channels), int(network.depth), height, width)  # type: ignore[arg-type]
    return (1, 3, height, width)


def multiply_adds(network: nn.Module, height: int, width: int) -> int:
    """Multiply-adds of the convolutions for one image of `input_shape`."""
    # On the meta device shapes are worked out and nothing is computed.
    shapes = copy.deepcopy(network).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes(torch.zeros(input_shape(network, height, width), device="meta"))
    return counter.get_total_flops() // 2
