"""IPN-V2, with global retraining and without: what their paper says of them."""

import torch
from octa_network_tester import OctaNetworkTester

from train.models import create

_SMALL = {"width": 8, "poolings": (2, 2), "plane_widths": (8, 16)}


class TestIPNV2(OctaNetworkTester):
    name = "ipn_v2"
    parameters = 2_239_681
    multiply_adds_544 = 575_327_993_856
    multiple = 8
    options = _SMALL


class TestIPNV2Plus(OctaNetworkTester):
    name = "ipn_v2_plus"
    parameters = 4_175_042
    multiply_adds_544 = 619_420_090_368
    multiple = 8
    options = _SMALL | {"global_widths": (4, 8)}


def test_the_skip_is_one_convolution_along_the_whole_depth():
    with torch.device("meta"):
        network = create("ipn_v2")
    skip = network.skip[0]
    assert (skip.kernel_size, skip.stride, skip.padding) == ((160, 1, 1), (160, 1, 1), (0, 0, 0))
    assert network.project(torch.zeros(1, 2, 160, 8, 8, device="meta")).shape == (1, 64, 8, 8)


def test_halves_and_whole_agree():
    volume = torch.rand(1, 2, 4, 16, 16)
    one, plus = (create(name, **_SMALL).eval() for name in ("ipn_v2", "ipn_v2_plus"))
    with torch.inference_mode():
        assert torch.equal(one(volume), one.plane(one.project(volume)))
        assert torch.equal(one(volume), one.head(one.features(volume)))
        assert torch.equal(plus(volume), plus.whole(plus.features(volume)))
