"""U-Net with DropBlock and batch norm, narrow and three poolings deep.

Source: Guo et al., "SD-UNet: A Structured Dropout U-Net for Retinal Vessel Segmentation", BIBE
2019, with the widths of their "SA-UNet", ICPR 2021. It is the baseline of SKU-Net.
"""

from collections.abc import Sequence
from functools import partial

from torch import nn

from train.models.dropblock import DropBlock2d
from train.models.encoder_decoder import EncoderDecoder


class ConvDropBlock(nn.Sequential):
    """Convolution, DropBlock, batch norm, ReLU; "same" padding for odd kernels.

    The convolution has no bias, for which the batch norm's shift stands.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 3,
        *,
        keep_rate: float,
        block_size: int,
    ) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
            DropBlock2d(block_size, keep_rate),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class DoubleConvDropBlock(nn.Sequential):
    """Twice a `ConvDropBlock`."""

    def __init__(
        self, channels_in: int, channels_out: int, *, keep_rate: float, block_size: int
    ) -> None:
        unit = partial(ConvDropBlock, keep_rate=keep_rate, block_size=block_size)
        super().__init__(unit(channels_in, channels_out), unit(channels_out, channels_out))


class UNetDropBlock(EncoderDecoder):
    """Input (N, 3, H, W) float32 RGB in [-1, 1], H and W multiples of 8.

    Output (N, 1, H, W) float32 logits. 0.48 M parameters, 10.5 G multiply-adds at 544x544.

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
        block = partial(DoubleConvDropBlock, keep_rate=keep_rate, block_size=block_size)
        super().__init__(widths, block)
