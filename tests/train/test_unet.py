"""U-Net: what its paper and M2U-Net's say of it."""

import math

import pytest
import torch
from network_tester import NetworkTester
from torch import nn

from train.models import create
from train.models.cost import multiply_adds


class TestUNet(NetworkTester):
    name = "unet"
    parameters = 31_031_745  # 31.03 M in M2U-Net's paper
    multiply_adds_544 = 217_505_857_536
    multiple = 16
    options = {"widths": (8, 16, 32, 64, 128)}  # noqa: RUF012


def test_m2unets_paper_counts_transposed_kernels_at_every_output():
    with torch.device("meta"):
        network = create("unet")
    counted = multiply_adds(network, 544, 544)
    side = 544 // 16
    for up in network.up:
        once = up.in_channels * up.out_channels * 4 * side * side
        counted += 3 * once
        side *= 2
    assert round(counted / 1e9, 1) == 246.6


def test_weights_have_hes_deviation():
    torch.manual_seed(0)
    network = create("unet", widths=(64, 128))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 10_000:
            inputs = layer.in_channels * 9
        elif isinstance(layer, nn.ConvTranspose2d):
            inputs = layer.in_channels
        else:
            continue
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / inputs), rel=0.02)
        assert not layer.bias.any()
