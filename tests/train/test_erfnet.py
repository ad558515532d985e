"""ERFNet: what its paper says of it."""

from network_tester import NetworkTester
from torch import nn

from train.models import create
from train.models.erfnet import NonBottleneck1D


class TestERFNet(NetworkTester):
    name = "erfnet"
    parameters = 2_063_021  # 2.06 M
    multiply_adds_544 = 14_931_672_832
    multiple = 8


def test_blocks_have_the_papers_dilations_and_dropout():
    found = []
    for block in create("erfnet").modules():
        if isinstance(block, NonBottleneck1D):
            layers = block.convolutions
            found.append((layers[0].in_channels, layers[-3].dilation[1], layers[-1].p))
            assert isinstance(layers[-2], nn.BatchNorm2d)
    assert found == [
        *[(64, 1, 0.03)] * 5,
        *[(128, dilation, 0.3) for dilation in (2, 4, 8, 16, 2, 4, 8, 16)],
        *[(64, 1, 0.0)] * 2,
        *[(16, 1, 0.0)] * 2,
    ]
