"""The plane perceptron of IPN-V2 alone, on projections: what the depth is measured against."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from train.models.encoder_decoder import EncoderDecoder
from train.models.feature_block import Block, FeatureBlock, TwoBlocks


def unet(
    widths: Sequence[int], block: Block, channels_in: int = 3, classes: int = 1
) -> EncoderDecoder:
    """A U-Net of a convolution and all that follows it, twice a level, as the papers' is."""
    return EncoderDecoder(
        widths, partial(TwoBlocks, block=block), channels_in=channels_in, classes=classes
    )


class PlaneUNet(EncoderDecoder):
    """Input (N, channels, H, W) float32 in [-1, 1], or (N, channels, 1, H, W); H and W multiples of
    `multiple`. Output (N, classes, H, W) float32 logits.

    Args:
        channels: maps of the projection.
        classes: logits a pixel.
        plane_widths: channels of each level, the full resolution first.
    """

    depth = 1

    def __init__(
        self,
        channels: int = 3,
        classes: int = 1,
        plane_widths: Sequence[int] = (32, 64, 128, 256),
    ) -> None:
        block = partial(TwoBlocks, block=partial(FeatureBlock, kernel=(3, 3)))
        super().__init__(plane_widths, block, channels_in=channels, classes=classes)
        self.channels = channels

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.squeeze(2) if image.ndim == 5 else image)
