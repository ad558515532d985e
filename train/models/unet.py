"""U-Net, the classic one.

Source: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015, section 2 and figure 1. Two departures, both of M2U-Net's comparison
(Laibacher et al. 2019), whose parameters and multiply-adds this network has: a border of
zeros keeps the size at every convolution, so that nothing is cropped, and one logit stands for two
classes. Dropout at the end of the encoder, of a rate the paper does not give, is left out.
"""

from collections.abc import Sequence

from torch import nn

from train.models.encoder_decoder import EncoderDecoder


class DoubleConvolution(nn.Sequential):
    """Twice a 3x3 convolution and a ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1),
            nn.ReLU(inplace=True),
        )


class UNet(EncoderDecoder):
    """Input (N, 3, H, W) float32 RGB in [-1, 1], H and W multiples of 16.

    Output (N, 1, H, W) float32 logits. 31.03 M parameters, 217.5 G multiply-adds at 544x544. The
    246.6 G of M2U-Net's paper are this network's too, with each transposed convolution counted
    as if all four numbers of its 2x2 kernels took part in each output; one does.

    Args:
        widths: channels of each level, the full resolution first.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512, 1024)) -> None:
        super().__init__(widths, DoubleConvolution)
