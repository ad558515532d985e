"""Selective kernels, by hand."""

import math

import pytest
import torch

from train.models.selective_kernel import SelectiveKernel


def by_hand() -> SelectiveKernel:
    """One channel; the squeeze passes the mean on, the scores are +1 and -1 times it."""
    attention = SelectiveKernel(1, branches=2, at_least=1)
    for layer, weight in zip([attention.squeeze[0], *attention.score], (1, 1, -1), strict=True):
        torch.nn.init.constant_(layer.weight, weight)
        torch.nn.init.zeros_(layer.bias)
    return attention


def test_weights_and_sum_of_two_branches():
    three = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
    five = torch.tensor([[[[2.0, 0.0], [0.0, 0.0]]]])
    # The sum's mean is (2 + 1 + 1 + 0) / 4 = 1: scores 1 and -1.
    share = math.e / (math.e + 1 / math.e)
    attention = by_hand()
    weights = attention.weights([three, five]).flatten().tolist()
    assert weights == pytest.approx([share, 1 - share])
    expected = torch.tensor([[[[2 * (1 - share), share], [share, 0.0]]]])
    torch.testing.assert_close(attention([three, five]), expected)


def test_the_squeeze_cuts_what_is_negative():
    branches = [torch.full((1, 1, 2, 2), -3.0), torch.full((1, 1, 2, 2), 1.0)]
    assert by_hand().weights(branches).flatten().tolist() == pytest.approx([0.5, 0.5])


def test_images_are_weighed_apart():
    torch.manual_seed(0)
    attention = SelectiveKernel(4, branches=3)
    branches = [torch.rand(2, 4, 5, 5) for _ in range(3)]
    both = attention(branches)
    torch.testing.assert_close(both[1:], attention([branch[1:] for branch in branches]))
    weights = attention.weights(branches)
    assert weights.shape == (3, 2, 4, 1, 1)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(2, 4, 1, 1))


@pytest.mark.parametrize(
    ("channels", "options", "hidden"),
    [(16, {}, 32), (1024, {}, 64), (64, {"reduction": 4, "at_least": 8}, 16)],
)
def test_squeeze_is_max_of_c_over_r_and_l(channels, options, hidden):
    assert SelectiveKernel(channels, **options).squeeze[0].out_channels == hidden
