"""Selective kernels: attention that weighs branches of different kernels, channel by channel.

Source: Li, Wang, Hu, Yang, "Selective Kernel Networks", CVPR 2019, section 3.1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SelectiveKernel(nn.Module):
    """Fuse and select: branches, each (N, C, H, W), to their weighted sum (N, C, H, W).

    The sum of the branches is averaged over the map and squeezed to d = max(C / reduction,
    at_least) numbers (equations 1-4); from these one layer a branch gives a score for each
    channel, and the softmax over branches of the scores is the weight (equations 5-6).

    The paper has a batch norm in the squeeze. Here there is none: it acts on one number an image
    and channel, which for a batch of one image has no variance, and for the few images of ours is
    noise; the branches' own batch norms have set the scale already.

    Args:
        channels: C of every branch.
        branches: how many.
        reduction: r of equation 4.
        at_least: L of equation 4.
    """

    def __init__(
        self, channels: int, branches: int = 2, reduction: int = 16, at_least: int = 32
    ) -> None:
        super().__init__()
        hidden = max(channels // reduction, at_least)
        # Fully connected layers, as 1x1 convolutions on a map of one pixel.
        self.squeeze = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(inplace=True))
        self.score = nn.ModuleList([nn.Conv2d(hidden, channels, 1) for _ in range(branches)])

    def weights(self, branches: Sequence[Tensor]) -> Tensor:
        """(branches, N, C, 1, 1), in [0, 1], 1 in sum over the branches."""
        fused = torch.stack(list(branches)).sum(dim=0)
        squeezed = self.squeeze(fused.mean(dim=(2, 3), keepdim=True))
        return torch.stack([score(squeezed) for score in self.score]).softmax(dim=0)

    def forward(self, branches: Sequence[Tensor]) -> Tensor:
        weighted = [
            branch * weight for branch, weight in zip(branches, self.weights(branches), strict=True)
        ]
        return sum(weighted[1:], start=weighted[0])
