"""ASR-IPN-V2: depthwise separable convolutions, and attention behind each."""

import pytest
import torch
from octa_network_tester import OctaNetworkTester
from torch import nn

from train.models import create
from train.models.cbam import CBAM
from train.models.cost import parameters
from train.models.feature_block import FeatureBlock


class TestASRIPNV2(OctaNetworkTester):
    name = "asr_ipn_v2"
    parameters = 518_521
    multiply_adds_544 = 48_916_540_992
    multiple = 8
    options = {"width": 8, "poolings": (2, 2), "plane_widths": (8, 16)}  # noqa: RUF012


def test_every_block_is_separable_and_ends_in_attention():
    with torch.device("meta"):
        network = create("asr_ipn_v2")
    blocks = [one for one in network.modules() if isinstance(one, FeatureBlock)]
    assert len(blocks) == 1 + 3 * 2 + 1 + 7 * 2  # first, modules, skip, plane perceptron
    for block in blocks:
        depthwise, pointwise, *_, last = block
        assert depthwise.groups == depthwise.in_channels == depthwise.out_channels
        assert set(pointwise.kernel_size) == {1}
        assert isinstance(last, CBAM)


@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize("attention", [False, True])
def test_rows_of_the_ablation(separable, attention):
    with torch.device("meta"):
        network = create("asr_ipn_v2", separable=separable, attention=attention)
        plain = create("ipn_v2")
    assert any(isinstance(one, CBAM) for one in network.modules()) == attention
    grouped = [m.groups > 1 for m in network.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)]
    assert any(grouped) == separable
    if not (separable or attention):
        assert parameters(network) == parameters(plain)
