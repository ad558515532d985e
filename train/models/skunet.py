"""SKU-Net: U-Net whose levels end in a residual block of selective kernels.

Source: Hwang, Moon, Kim, "SKU-Net: Improved U-Net using Selective Kernel Convolution for Retinal
Vessel Segmentation", Journal of the Korea Society of Computer and Information 26(4), 2021. Widths
are its baseline's, `train.models.unet_dropblock`.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from train.models.encoder_decoder import EncoderDecoder
from train.models.selective_kernel import SelectiveKernel
from train.models.unet_dropblock import ConvDropBlock


class SelectiveKernelBlock(nn.Module):
    """A 3x3 convolution, a choice between 3x3 and 5x5, the input added, ReLU.

    Each convolution is followed by DropBlock, batch norm and ReLU.
    """

    kernels = (3, 5)

    def __init__(self, channels: int, *, keep_rate: float, block_size: int) -> None:
        super().__init__()
        unit = partial(ConvDropBlock, keep_rate=keep_rate, block_size=block_size)
        self.first = unit(channels, channels)
        self.branches = nn.ModuleList([unit(channels, channels, size) for size in self.kernels])
        self.select = SelectiveKernel(channels, len(self.kernels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return torch.relu(x + self.select([branch(y) for branch in self.branches]))


class Level(nn.Sequential):
    """A convolution to the level's width, then a `SelectiveKernelBlock`."""

    def __init__(
        self, channels_in: int, channels_out: int, *, keep_rate: float, block_size: int
    ) -> None:
        super().__init__(
            ConvDropBlock(channels_in, channels_out, keep_rate=keep_rate, block_size=block_size),
            SelectiveKernelBlock(channels_out, keep_rate=keep_rate, block_size=block_size),
        )


class SKUNet(EncoderDecoder):
    """Input (N, 3, H, W) float32 RGB in [-1, 1], H and W multiples of 8.

    Output (N, 1, H, W) float32 logits. 1.44 M parameters, 28.5 G multiply-adds at 544x544.

    Args:
        keep_rate: DropBlock's, in (0, 1].
        block_size: DropBlock's, in pixels of each level's map.
        widths: channels of each level, the full resolution first.

    Raises:
        UsageError: as `DropBlock2d`.
    """

    def __init__(
        self,
        keep_rate: float = 0.85,
        block_size: int = 7,
        widths: Sequence[int] = (16, 32, 64, 128),
    ) -> None:
        super().__init__(widths, partial(Level, keep_rate=keep_rate, block_size=block_size))
