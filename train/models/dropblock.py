"""DropBlock: dropout of whole squares of a feature map.

Source: Ghiasi, Lin, Le, "DropBlock: A regularization method for convolutional networks", NeurIPS
2018, algorithm 1 and equation 1.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge_vessel.errors import UsageError


def seed_rate(keep_rate: float, size: tuple[int, int], block: tuple[int, int]) -> float:
    """Gamma of equation 1: how likely a position starts a block, all (height, width).

    Only positions where the whole block fits start one; were blocks never to overlap, a share of
    1 - keep_rate would be dropped.
    """
    (height, width), (tall, wide) = size, block
    places = (height - tall + 1) * (width - wide + 1)
    return (1.0 - keep_rate) / (tall * wide) * (height * width) / places


def keep_mask(seeds: Tensor, block: tuple[int, int]) -> Tensor:
    """(N, C, H - tall + 1, W - wide + 1) 1 at each block's top left corner, 0 elsewhere, to
    (N, C, H, W) 0 inside blocks and 1 outside, of the same type."""
    tall, wide = block
    padded = F.pad(seeds, (wide - 1, wide - 1, tall - 1, tall - 1))
    # Rows, then columns: 14 comparisons a pixel rather than 49.
    rows = F.max_pool2d(padded, (tall, 1), stride=1)
    return 1.0 - F.max_pool2d(rows, (1, wide), stride=1)


class DropBlock2d(nn.Module):
    """(N, C, H, W) to the same, with squares set to zero and the rest scaled up.

    Each image and channel has squares of its own. What is kept is scaled by all over kept of the
    whole batch. In evaluation mode nothing is done. The rate is constant: the paper's schedule,
    which lowers it from 1 during training, is left out.

    Args:
        block_size: a square's side in pixels; on a map that is smaller, the map's side.
        keep_rate: the share to keep, in (0, 1].

    Raises:
        UsageError: either is out of range.
    """

    def __init__(self, block_size: int = 7, keep_rate: float = 0.9) -> None:
        super().__init__()
        if block_size < 1 or not 0.0 < keep_rate <= 1.0:
            raise UsageError(
                f"DropBlock: block size {block_size}, keep rate {keep_rate}: "
                "needs a size of 1 or more and a rate in (0, 1]"
            )
        self.block_size = block_size
        self.keep_rate = keep_rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.keep_rate == 1.0:
            return x
        images, channels, height, width = x.shape
        block = min(self.block_size, height), min(self.block_size, width)
        rate = seed_rate(self.keep_rate, (height, width), block)
        places = (images, channels, height - block[0] + 1, width - block[1] + 1)
        seeds = (torch.rand(places, device=x.device) < rate).to(x.dtype)
        mask = keep_mask(seeds, block)
        # Counted in float32, as bfloat16 cannot; never none, so that a map all dropped is zero.
        kept = mask.sum(dtype=torch.float32).clamp(min=1.0)
        return x * mask * (mask.numel() / kept)

    def extra_repr(self) -> str:
        return f"block_size={self.block_size}, keep_rate={self.keep_rate}"
