"""CBAM against values worked out by hand."""

import math

import pytest
import torch

from train.models.cbam import CBAM, ChannelAttention, SpatialAttention


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def _channel() -> ChannelAttention:
    """Two channels, one hidden neuron: h = relu(a - b + 1), answers 2 h and 1 - h."""
    attention = ChannelAttention(2)
    with torch.no_grad():
        attention.perceptron[0].weight.copy_(torch.tensor([[1.0, -1.0]]))
        attention.perceptron[0].bias.fill_(1.0)
        attention.perceptron[2].weight.copy_(torch.tensor([[2.0], [-1.0]]))
        attention.perceptron[2].bias.copy_(torch.tensor([0.0, 1.0]))
    return attention


# Channel a: mean 2, maximum 5. Channel b: mean 1, maximum 2.
_PLANE = torch.tensor([[[[0.0, 1.0], [2.0, 5.0]], [[1.0, 2.0], [0.0, 1.0]]]])


@pytest.mark.parametrize("image", [_PLANE, _PLANE[:, :, None], _PLANE.reshape(1, 2, 2, 1, 2)])
def test_channel_attention_by_hand(image):
    weights = _channel()(image).flatten()
    # Of the means h = 2 - 1 + 1 = 2, of the maxima h = 5 - 2 + 1 = 4.
    expected = [_sigmoid(2 * 2 + 2 * 4), _sigmoid((1 - 2) + (1 - 4))]
    assert weights.tolist() == pytest.approx(expected, rel=1e-6)


def test_spatial_attention_by_hand():
    attention = SpatialAttention(2)
    with torch.no_grad():
        attention.convolution.weight.zero_()
        attention.convolution.weight[0, 0, 3, 3] = 2.0  # the mean, here
        attention.convolution.weight[0, 1, 3, 4] = -1.0  # the maximum, one to the right
        attention.convolution.bias.fill_(0.5)
    found = attention(_PLANE)[0, 0]
    # Means 0.5, 1.5 / 1, 3; maxima 1, 2 / 2, 5; zeros beyond the border.
    logits = [[2 * 0.5 - 2 + 0.5, 2 * 1.5 + 0.5], [2 * 1 - 5 + 0.5, 2 * 3 + 0.5]]
    for row, expected in zip(found.tolist(), logits, strict=True):
        assert row == pytest.approx([_sigmoid(one) for one in expected], rel=1e-6)


def test_in_a_volume_each_depth_is_a_plane_of_its_own():
    torch.manual_seed(0)
    plane, volume = SpatialAttention(2), SpatialAttention(3)
    volume.convolution.weight = torch.nn.Parameter(plane.convolution.weight[:, :, None])
    volume.convolution.bias = plane.convolution.bias
    x = torch.rand(1, 4, 3, 9, 9)
    each = torch.stack([plane(x[:, :, depth]) for depth in range(3)], dim=2)
    torch.testing.assert_close(volume(x), each)


def test_channels_first_then_places():
    cbam = CBAM(2, 2)
    cbam.channel = _channel()
    weighed = _PLANE * cbam.channel(_PLANE)
    torch.testing.assert_close(cbam(_PLANE), weighed * cbam.spatial(weighed))
