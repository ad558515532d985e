"""U-Net 3+: every level of the way up sees all levels, finer ones as the encoder left them, coarser
ones as the decoder made them.

Source: Huang et al., "UNet 3+: A Full-Scale Connected UNet for Medical Image Segmentation", ICASSP
2020, section 2.1 and figure 2. Deep supervision and the classification-guided module, which it
adds to that, are left out: the plane perceptron of IPN-V2 has one output.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.models.encoder_decoder import he_normal_
from train.models.feature_block import Block, TwoBlocks


class UNet3Plus(nn.Module):
    """Input (N, channels_in, H, W) float32, H and W multiples of `multiple`, 2 to the number of
    poolings. Output (N, classes, H, W) float32 logits.

    A level of the decoder brings each of the L maps to its size, by max pooling or bilinearly,
    and to widths[0] channels by a block; one more block fuses the L * widths[0] channels.

    Args:
        widths: channels of the encoder's levels, the full resolution first.
        block: makes one convolution with all that follows it, from its channels in and out; it
            keeps height and width.
        channels_in: of the image, and of whatever is stacked on it.
        classes: logits a pixel.
    """

    def __init__(
        self, widths: Sequence[int], block: Block, channels_in: int = 3, classes: int = 1
    ) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.encoder = nn.ModuleList(
            [
                TwoBlocks(before, width, block=block)
                for before, width in pairwise((channels_in, *widths))
            ]
        )
        fused = len(widths) * widths[0]
        above = [widths[-1]]  # the deepest map is the encoder's own
        self.gather, self.fuse = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths) - 1)):
            seen = (*widths[: level + 1], *above)
            self.gather.append(nn.ModuleList([block(width, widths[0]) for width in seen]))
            self.fuse.append(block(fused, fused))
            above.insert(0, fused)
        self.output = nn.Conv2d(above[0], classes, 1)
        he_normal_(self)

    def features(self, image: Tensor) -> Tensor:
        """The last map before the logits, (N, L * widths[0], H, W)."""
        maps: list[Tensor] = [self.encoder[0](image)]
        for block in self.encoder[1:]:
            maps.append(block(F.max_pool2d(maps[-1], 2)))
        # From the deepest but one upwards, each takes the place of the encoder's map of its level.
        levels = reversed(range(len(maps) - 1))
        for level, gather, fuse in zip(levels, self.gather, self.fuse, strict=True):
            seen = [
                block(_scaled(x, other - level))
                for other, (x, block) in enumerate(zip(maps, gather, strict=True))
            ]
            maps[level] = fuse(torch.cat(seen, dim=1))
        return maps[0]

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.output(self.features(image))
        return logits

    @property
    def head(self) -> nn.Module:
        return self.output


def _scaled(x: Tensor, levels: int) -> Tensor:
    """(N, C, H, W) that many levels up, by 2 each, or down where it is negative."""
    if levels < 0:
        return F.max_pool2d(x, 2**-levels)
    if levels == 0:
        return x
    return F.interpolate(x, scale_factor=2**levels, mode="bilinear", align_corners=False)
