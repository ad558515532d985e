"""CBAM: attention over channels, then over places.

Source: Woo, Park, Lee, Kweon, "CBAM: Convolutional Block Attention Module", ECCV 2018, equations 2
and 3. It stands after each block of ASR-IPN-V2.
"""

import torch
from torch import Tensor, nn

_REDUCTION = 4  # the paper's 16 leaves nothing of maps as narrow as these
_KERNEL = 7


class ChannelAttention(nn.Module):
    """(N, C, ...) to weights (N, C, 1, ...) in (0, 1): one perceptron with a hidden layer looks at
    the mean and at the maximum of each channel; the sum of both answers passes a sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // _REDUCTION)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        answers = self.perceptron(flat.mean(dim=2)) + self.perceptron(flat.amax(dim=2))
        weights: Tensor = torch.sigmoid(answers).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
        return weights


class SpatialAttention(nn.Module):
    """(N, C, ...) to weights (N, 1, ...) in (0, 1): a 7x7 convolution over the channels' mean and
    maximum at each place, then a sigmoid. In a volume each depth is a plane of its own: a kernel
    of 7x7x7 would cost as much as the convolutions that it follows."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        margin = _KERNEL // 2
        if dimensions == 2:
            self.convolution: nn.Module = nn.Conv2d(2, 1, _KERNEL, padding=margin)
        else:
            self.convolution = nn.Conv3d(2, 1, (1, _KERNEL, _KERNEL), padding=(0, margin, margin))

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        weights: Tensor = torch.sigmoid(self.convolution(seen))
        return weights


class CBAM(nn.Module):
    """(N, C, H, W) or (N, C, D, H, W) to the same, weighed by channel, then by place."""

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels)
        self.spatial = SpatialAttention(dimensions)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.channel(x)
        return x * self.spatial(x)
