"""DropBlock: squares by hand, its rate, and what must not change."""

import pytest
import torch

from edge_vessel.errors import UsageError
from train.models.dropblock import DropBlock2d, keep_mask, seed_rate


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ((1, 1), ["11111", "11011", "11111", "11111"]),
        ((2, 2), ["11111", "11001", "11001", "11111"]),
        ((3, 2), ["11111", "11001", "11001", "11001"]),
    ],
)
def test_a_seed_becomes_a_block_below_and_right_of_it(block, expected):
    seeds = torch.zeros(1, 1, 4 - block[0] + 1, 5 - block[1] + 1)
    seeds[0, 0, 1, 2] = 1
    rows = [[float(digit) for digit in row] for row in expected]
    assert torch.equal(keep_mask(seeds, block), torch.tensor(rows)[None, None])


def test_overlapping_blocks_drop_once():
    seeds = torch.tensor([[[[1.0, 1.0, 0.0]]]])
    assert torch.equal(keep_mask(seeds, (1, 2)), torch.tensor([[[[0.0, 0.0, 0.0, 1.0]]]]))


@pytest.mark.parametrize(
    ("keep_rate", "size", "block", "expected"),
    [
        (0.9, (10, 10), (1, 1), 0.1),
        (0.9, (10, 10), (5, 5), 0.1 / 25 * 100 / 36),
        (0.8, (8, 6), (3, 3), 0.2 / 9 * 48 / 24),
        (0.8, (3, 3), (3, 3), 0.2),
    ],
)
def test_seed_rate_is_equation_1(keep_rate, size, block, expected):
    assert seed_rate(keep_rate, size, block) == pytest.approx(expected)


def test_kept_share_and_scale():
    torch.manual_seed(0)
    out = DropBlock2d(block_size=7, keep_rate=0.85).train()(torch.ones(8, 32, 64, 64))
    kept = (out > 0).float().mean().item()
    # Blocks overlap, so a little more is kept than was asked for.
    assert 0.85 < kept < 0.88
    assert out.mean().item() == pytest.approx(1.0, abs=1e-4)
    assert out.max().item() == pytest.approx(1.0 / kept, rel=1e-4)


def test_channels_have_squares_of_their_own():
    torch.manual_seed(0)
    out = DropBlock2d(3, 0.7).train()(torch.ones(1, 2, 32, 32))
    assert not torch.equal(out[0, 0], out[0, 1])


@pytest.mark.parametrize(("mode", "keep_rate"), [(False, 0.5), (True, 1.0)])
def test_evaluation_and_a_rate_of_1_change_nothing(mode, keep_rate):
    x = torch.rand(2, 3, 9, 9)
    assert DropBlock2d(7, keep_rate).train(mode)(x) is x


@pytest.mark.parametrize("size", [(4, 4), (2, 20), (1, 1)])
def test_a_block_is_clipped_to_a_small_map(size):
    torch.manual_seed(0)
    dropblock = DropBlock2d(7, 0.5).train()
    found = [dropblock(torch.ones(4, 8, *size)) for _ in range(8)]
    share = torch.stack([(out > 0).float().mean() for out in found]).mean().item()
    assert 0.4 < share < 0.7


def test_all_dropped_is_zero():
    dropblock = DropBlock2d(7, keep_rate=1e-9).train()
    assert torch.equal(dropblock(torch.ones(1, 1, 4, 4)), torch.zeros(1, 1, 4, 4))


def test_bfloat16_stays_so():
    out = DropBlock2d(3, 0.8).train()(torch.ones(2, 4, 16, 16, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16


@pytest.mark.parametrize("mode", [False, True])
def test_compiles_without_a_break(mode):
    compiled = torch.compile(DropBlock2d().train(mode), backend="eager", fullgraph=True)
    assert compiled(torch.rand(1, 2, 16, 16)).shape == (1, 2, 16, 16)


@pytest.mark.parametrize(("block_size", "keep_rate"), [(0, 0.9), (7, 0.0), (7, 1.1)])
def test_what_is_out_of_range_is_refused(block_size, keep_rate):
    with pytest.raises(UsageError, match="keep rate"):
        DropBlock2d(block_size, keep_rate)
