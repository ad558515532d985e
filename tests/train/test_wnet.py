"""W-Net and its U-Net: the published code's parameters, and both stages' logits."""

import torch
from network_tester import NetworkTester

from train.models import create


class TestWNetUNet(NetworkTester):
    name = "wnet_unet"
    parameters = 34_201
    multiply_adds_544 = 2_289_360_896
    multiple = 4


class TestWNet(NetworkTester):
    name = "wnet"
    parameters = 68_482
    multiply_adds_544 = 4_602_396_672
    multiple = 4


def test_the_second_stage_sees_the_image_and_the_firsts_logits():
    torch.manual_seed(0)
    network = create("wnet").eval()
    image = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        first, second = network.training_logits(image)
        assert torch.equal(first, network.first(image))
        assert torch.equal(second, network.second(torch.cat([image, first], dim=1)))
        assert torch.equal(second, network(image))


def test_the_seconds_loss_teaches_the_first_too():
    network = create("wnet")
    network(torch.rand(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.first.parameters())
