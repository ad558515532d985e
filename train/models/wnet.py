"""W-Net: two minimal U-Nets in a row, and the U-Net by itself.

Source: Galdran et al., "State-of-the-art retinal vessel segmentation with minimalistic models",
Scientific Reports 12, 2022. Where the text leaves a choice, it is the one
that gives the parameters of the authors' published code, 34,201 and 68,482: bridges of 3x3
convolutions with ReLU and batch norm (1x1 would give 31,641 and 63,362), biases in all
convolutions but the shortcuts'. The slope that this code gives to negative numbers is left out.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from train.models.encoder_decoder import EncoderDecoder


class ConvReluBn(nn.Sequential):
    """A 3x3 convolution, ReLU, batch norm: in this order in the paper's network."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(channels_out),
        )


class ShortcutBlock(nn.Module):
    """Two `ConvReluBn`, and a 1x1 convolution with batch norm of the input added."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            ConvReluBn(channels_in, channels_out), ConvReluBn(channels_out, channels_out)
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convolutions(x) + self.shortcut(x)
        return y


def _bridge(channels: int) -> nn.Module:
    return ConvReluBn(channels, channels)


class WNetUNet(EncoderDecoder):
    """Input (N, 3, H, W) float32 RGB in [-1, 1], H and W multiples of 4.

    Output (N, 1, H, W) float32 logits. 34,201 parameters, 2.3 G multiply-adds at 544x544.

    Args:
        widths: channels of each level, the full resolution first.
        channels_in: 3, or more with maps stacked on the image.
    """

    def __init__(self, widths: Sequence[int] = (8, 16, 32), channels_in: int = 3) -> None:
        super().__init__(widths, ShortcutBlock, _bridge, channels_in)


class WNet(nn.Module):
    """A `WNetUNet`, and another that sees the image and the first's logits.

    Input (N, 3, H, W) float32 RGB in [-1, 1], H and W multiples of 4. Output (N, 1, H, W) float32
    logits of the second. 68,482 parameters, 4.6 G multiply-adds at 544x544.

    Args:
        widths: channels of each level of both, the full resolution first.
    """

    def __init__(self, widths: Sequence[int] = (8, 16, 32)) -> None:
        super().__init__()
        self.first = WNetUNet(widths)
        self.second = WNetUNet(widths, channels_in=4)
        self.multiple = self.first.multiple

    def training_logits(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Both stages' logits, each (N, 1, H, W): the loss is the sum of the losses of both."""
        first = self.first(image)
        return first, self.second(torch.cat([image, first], dim=1))

    def forward(self, image: Tensor) -> Tensor:
        return self.training_logits(image)[-1]

    @property
    def head(self) -> nn.Module:
        return self.second.head
