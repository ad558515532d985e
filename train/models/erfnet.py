"""ERFNet: residual blocks of one-dimensional convolutions.

Source: Romera, Alvarez, Bergasa, Arroyo, "ERFNet: Efficient Residual Factorized ConvNet for
Real-Time Semantic Segmentation", IEEE Transactions on Intelligent Transportation Systems 19(1),
2018, section III. The epsilon of the batch norms and the kind of dropout, whole
channels, are of the authors' published code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON = 1e-3


class Downsampler(nn.Module):
    """Halves height and width: a 3x3 convolution of stride 2 beside a 2x2 max pooling."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out - channels_in, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(channels_out, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.conv(x), F.max_pool2d(x, 2)], dim=1)
        return torch.relu(self.norm(joined))


class NonBottleneck1D(nn.Module):
    """Two 3x3 convolutions, each as 3x1 and 1x3, the second pair dilated; the input is added."""

    def __init__(self, channels: int, dilation: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_factorised(channels, 1),
            nn.ReLU(inplace=True),
            *_factorised(channels, dilation),
            nn.Dropout2d(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.convolutions(x))


def _factorised(channels: int, dilation: int) -> list[nn.Module]:
    """A 3x3 convolution as 3x1 and 1x3, with its batch norm."""
    return [
        nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1)),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation)),
        nn.BatchNorm2d(channels, eps=_EPSILON),
    ]


class Upsampler(nn.Sequential):
    """Doubles height and width: a 3x3 transposed convolution of stride 2, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(channels_in, channels_out, 3, 2, padding=1, output_padding=1),
            nn.BatchNorm2d(channels_out, eps=_EPSILON),
            nn.ReLU(inplace=True),
        )


class ERFNet(nn.Module):
    """Input (N, 3, H, W) float32 RGB in [-1, 1], H and W multiples of 8.

    Output (N, 1, H, W) float32 logits. 2.06 M parameters, 14.9 G multiply-adds at 544x544.
    """

    multiple = 8

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            Downsampler(3, 16),
            Downsampler(16, 64),
            *(NonBottleneck1D(64, dropout=0.03) for _ in range(5)),
            Downsampler(64, 128),
            *(NonBottleneck1D(128, dilation, dropout=0.3) for dilation in (2, 4, 8, 16) * 2),
        )
        self.decoder = nn.Sequential(
            Upsampler(128, 64),
            *(NonBottleneck1D(64) for _ in range(2)),
            Upsampler(64, 16),
            *(NonBottleneck1D(16) for _ in range(2)),
        )
        self.output = nn.ConvTranspose2d(16, 1, 2, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.output(self.decoder(self.encoder(image)))
        return logits

    @property
    def head(self) -> nn.Module:
        return self.output
