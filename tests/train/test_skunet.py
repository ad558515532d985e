"""SKU-Net."""

import torch
from network_tester import NetworkTester

from train.models import create
from train.models.skunet import SelectiveKernelBlock


class TestSKUNet(NetworkTester):
    name = "skunet"
    parameters = 1_441_489
    multiply_adds_544 = 28_504_589_312
    multiple = 8
    options = {"keep_rate": 0.95, "widths": (8, 16, 32, 64)}  # noqa: RUF012


def test_every_level_chooses_between_3_and_5():
    blocks = [one for one in create("skunet").modules() if isinstance(one, SelectiveKernelBlock)]
    assert len(blocks) == 7
    for block in blocks:
        assert [branch[0].kernel_size for branch in block.branches] == [(3, 3), (5, 5)]


def test_branches_of_zero_leave_the_blocks_input():
    block = SelectiveKernelBlock(4, keep_rate=0.85, block_size=7).eval()
    for branch in block.branches:
        torch.nn.init.zeros_(branch[0].weight)
    x = torch.rand(1, 4, 8, 8)
    torch.testing.assert_close(block(x), x)
