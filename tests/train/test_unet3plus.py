"""U-Net 3+ as the plane perceptron of IPN-V2 and ASR-IPN-V2."""

import pytest
import torch
from octa_network_tester import OctaNetworkTester
from torch import nn

from edge_vessel.errors import UsageError
from train.models import create
from train.models.cost import parameters
from train.models.unet3plus import UNet3Plus

_PLANE = {"plane": "unet3plus"}
_SMALL = {"width": 8, "poolings": (2, 2), "plane_widths": (8, 8, 16)}


class TestASRIPNV2(OctaNetworkTester):
    name = "asr_ipn_v2"
    parameters = 401_220
    multiply_adds_544 = 59_297_957_312
    multiple = 8
    options = _SMALL | _PLANE
    variant = _PLANE


def test_the_same_plane_serves_ipn_v2():
    with torch.device("meta"):
        network = create("ipn_v2", **_PLANE)
        usual = create("ipn_v2")
    before_the_plane = parameters(usual) - parameters(usual.plane)
    assert parameters(network) == before_the_plane + 2_067_969


def _convolution(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def test_parameters_by_hand():
    """Levels of 4, 8 and 16 channels, an image of 3; 9 weights a pair of channels."""
    encoder = 3 * 4 + 4 * 4 + 4 * 8 + 8 * 8 + 8 * 16 + 16 * 16
    second = (4 + 8 + 16) * 4 + 12 * 12  # sees the encoder alone
    first = (4 + 12 + 16) * 4 + 12 * 12  # sees the second level's 3 * 4 channels
    output = 12 + 1
    network = UNet3Plus((4, 8, 16), _convolution)
    assert parameters(network) == 9 * (encoder + second + first) + output


def test_a_level_sees_finer_maps_of_the_encoder_and_coarser_ones_of_the_decoder():
    """The second level's map of the encoder reaches the first level through the second's decoder
    alone: silenced there, it is not seen; the deepest map is."""
    network = UNet3Plus((4, 8, 16), _convolution).eval()
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        before = network(image)
        network.fuse[0].weight.zero_()  # the second level's decoder
        silent = network(image)
        network.encoder[1][1].weight.mul_(2)
        network.encoder[2][0].weight.mul_(0.5)  # so that the deepest map stays as it was
        torch.testing.assert_close(network(image), silent)
        assert not torch.allclose(before, silent)
        network.encoder[2][1].weight.mul_(2)
        assert not torch.allclose(network(image), silent)


def test_an_unknown_plane_is_one_line():
    with pytest.raises(UsageError, match="unknown plane 'vnet'; known: unet, unet3plus"):
        create("ipn_v2", plane="vnet")
