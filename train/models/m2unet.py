"""M2U-Net: a MobileNetV2 encoder with a decoder of contracting bottlenecks.

Source: Laibacher, Weyde, Jalali, "M2U-Net: Effective and Efficient Retinal Vessel Segmentation for
Real-World Applications", CVPR Workshops 2019, section 3 and figure 2.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.models.mobilenetv2 import Bottleneck, MobileNetV2Encoder


class DecoderBlock(nn.Module):
    """Bilinear x2 upsampling (half-pixel centres), concatenation, contracting bottleneck."""

    expansion = 0.15

    def __init__(self, channels: int, skip_channels: int, channels_out: int) -> None:
        super().__init__()
        joined = channels + skip_channels
        self.bottleneck = Bottleneck(
            joined, channels_out, hidden=round(joined * self.expansion), residual=False
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        out: Tensor = self.bottleneck(torch.cat([x, skip], dim=1))
        return out


class M2UNet(nn.Module):
    """Input (N, 3, H, W) float32 RGB in [-1, 1], H and W multiples of 16.

    Output (N, 1, H, W) float32 logits. 0.55 M parameters, 1.4 G multiply-adds at 544x544.
    """

    multiple = 16

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MobileNetV2Encoder()
        self.decoder = nn.ModuleList(
            [
                DecoderBlock(96, 32, 64),
                DecoderBlock(64, 24, 44),
                DecoderBlock(44, 16, 30),
                DecoderBlock(30, 3, 1),
            ]
        )

    def forward(self, image: Tensor) -> Tensor:
        half, quarter, eighth, x = self.encoder(image)
        for block, skip in zip(self.decoder, (eighth, quarter, half, image), strict=True):
            x = block(x, skip)
        return x

    @property
    def head(self) -> nn.Module:
        return self.decoder[-1].bottleneck.conv[-1]
