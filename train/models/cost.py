"""What a network costs: parameters and multiply-adds."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(network: nn.Module) -> int:
    """Trainable numbers, batch norms' scales and shifts included."""
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds(network: nn.Module, height: int, width: int) -> int:
    """Multiply-adds of the convolutions for one (1, 3, height, width) image."""
    # On the meta device shapes are worked out and nothing is computed.
    shapes = copy.deepcopy(network).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes(torch.zeros(1, 3, height, width, device="meta"))
    return counter.get_total_flops() // 2
