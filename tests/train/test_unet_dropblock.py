"""U-Net with DropBlock."""

from network_tester import NetworkTester

from train.models import create
from train.models.dropblock import DropBlock2d


class TestUNetDropBlock(NetworkTester):
    name = "unet_dropblock"
    parameters = 482_737
    multiply_adds_544 = 10_473_766_912
    multiple = 8
    options = {"keep_rate": 0.95, "block_size": 5}  # noqa: RUF012


def test_options_reach_every_dropblock():
    network = create("unet_dropblock", keep_rate=0.8, block_size=3)
    blocks = [one for one in network.modules() if isinstance(one, DropBlock2d)]
    assert len(blocks) == 2 * 7
    assert {(one.keep_rate, one.block_size) for one in blocks} == {(0.8, 3)}
