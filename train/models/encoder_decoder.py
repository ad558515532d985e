"""The U shape that U-Net and its descendants share: levels of blocks, one of them at each size."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EncoderDecoder(nn.Module):
    """A block a level on the way down and on the way up, joined by skip connections.

    2x2 max pooling leads down; a 2x2 transposed convolution leads up, and the level's map from the
    way down is concatenated behind what it gives. A 1x1 convolution makes the logit.

    Input (N, channels_in, H, W) float32, H and W multiples of `multiple`, 2 to the number of
    poolings. Output (N, classes, H, W) float32 logits.

    Args:
        widths: channels of each level, the full resolution first.
        block: makes a level's block from its channels in and out; it keeps height and width.
        bridge: makes what a skip connection of so many channels passes through.
        channels_in: of the image, and of whatever is stacked on it.
        classes: logits a pixel.
    """

    def __init__(
        self,
        widths: Sequence[int],
        block: Callable[[int, int], nn.Module],
        bridge: Callable[[int], nn.Module] = nn.Identity,
        channels_in: int = 3,
        classes: int = 1,
    ) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.encoder = nn.ModuleList(
            [block(before, width) for before, width in pairwise((channels_in, *widths))]
        )
        climb = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList([nn.ConvTranspose2d(deep, width, 2, 2) for deep, width in climb])
        self.bridge = nn.ModuleList([bridge(width) for _, width in climb])
        self.decoder = nn.ModuleList([block(2 * width, width) for _, width in climb])
        self.output = nn.Conv2d(widths[0], classes, 1)
        he_normal_(self)

    def features(self, image: Tensor) -> Tensor:
        """The last map before the logits, (N, widths[0], H, W)."""
        x: Tensor = self.encoder[0](image)
        skips = []
        for block in self.encoder[1:]:
            skips.append(x)
            x = block(F.max_pool2d(x, 2))
        for up, bridge, block in zip(self.up, self.bridge, self.decoder, strict=True):
            x = block(torch.cat([up(x), bridge(skips.pop())], dim=1))
        return x

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.output(self.features(image))
        return logits

    @property
    def head(self) -> nn.Module:
        return self.output


def he_normal_(network: nn.Module) -> None:
    """Convolutions' weights from a normal distribution of deviation sqrt(2 / N), no bias.

    N is the number of inputs of one output. Source: He et al. 2015, equation 10; Ronneberger et
    al. 2015, section 3.
    """
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            # Kernels as wide as their stride do not overlap: an output sees one pixel.
            inputs = module.in_channels
        elif isinstance(module, nn.Conv2d | nn.Conv3d):
            inputs = module.weight[0].numel()
        else:
            continue
        nn.init.normal_(module.weight, std=math.sqrt(2 / inputs))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
