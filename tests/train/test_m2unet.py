"""M2U-Net: what its paper says of it."""

import pytest
import torch
from network_tester import NetworkTester

from edge_vessel.errors import UsageError
from train import encoder_weights
from train.models import create
from train.models.mobilenetv2 import MobileNetV2Encoder


class TestM2UNet(NetworkTester):
    name = "m2unet"
    parameters = 549_748  # 0.55 M in the paper
    multiply_adds_544 = 1_418_860_528  # 1.4 G
    multiple = 16


def test_encoder_taps_have_the_papers_channels_and_strides():
    maps = MobileNetV2Encoder()(torch.rand(1, 3, 64, 96))
    assert [tuple(one.shape[1:]) for one in maps] == [
        (16, 32, 48),
        (24, 16, 24),
        (32, 8, 12),
        (96, 4, 6),
    ]


def test_decoder_contracts_without_residual():
    hidden = [block.bottleneck.conv[0][0].out_channels for block in create("m2unet").decoder]
    assert hidden == [round(0.15 * joined) for joined in (128, 88, 60, 33)]
    assert not any(block.bottleneck.residual for block in create("m2unet").decoder)


def test_imagenet_weights_of_torchvisions_names_load(tmp_path):
    torch.manual_seed(1)
    donor = MobileNetV2Encoder()
    weights = {**donor.state_dict(), "features.14.conv.0.0.weight": torch.zeros(1)}
    torch.save(weights, tmp_path / "w.pth")
    network = create("m2unet")
    encoder_weights.load_into(network, str(tmp_path / "w.pth"))
    first = "features.0.0.weight"
    assert torch.equal(network.encoder.state_dict()[first], donor.state_dict()[first])


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no such weights"), (b"not weights", "not a file of PyTorch weights")],
)
def test_wrong_weights_are_one_line(tmp_path, content, says):
    path = tmp_path / "w.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        encoder_weights.load_into(create("m2unet"), str(path))
    assert "\n" not in str(caught.value)


def test_weights_that_lack_a_tensor_are_refused(tmp_path):
    torch.save({"features.0.0.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "w.pth")
    with pytest.raises(UsageError, match="does not fit"):
        encoder_weights.load_into(create("m2unet"), str(tmp_path / "w.pth"))


def test_unknown_model_lists_the_known():
    with pytest.raises(UsageError, match="m2unet"):
        create("resnet")
