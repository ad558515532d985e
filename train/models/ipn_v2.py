"""IPN-V2: IPN with a plane perceptron, which gives it a view across the plane.

Source: Li et al., "IPN-V2 and OCTA-500: Methodology and Dataset for Retinal Image Segmentation",
arXiv 2012.07261, section on IPN-V2. The plane perceptron is a 2-D U-Net, or U-Net 3+ as the second
choice.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from edge_vessel.errors import UsageError
from train.models.encoder_decoder import he_normal_
from train.models.feature_block import FeatureBlock
from train.models.plane_unet import unet
from train.models.projection_learning import Projection, as_volume
from train.models.unet3plus import UNet3Plus

# Made of widths, a block, `channels_in` and `classes`.
PLANES: dict[str, Callable[..., nn.Module]] = {"unet": unet, "unet3plus": UNet3Plus}


class IPNV2(nn.Module):
    """Input (N, channels, D, H, W) float32 in [-1, 1], D the product of `poolings`, H and W
    multiples of `multiple`; or a projection (N, channels, H, W) where that product is 1.

    Output (N, classes, H, W) float32 logits. `project` and `plane` are its halves: the first is all
    that sees depth and looks a few pixels around each, so that a large volume can be projected
    patch by patch.

    Args:
        channels: OCT and OCTA, or the maps of a projection.
        classes: logits a pixel.
        width: of every 3-D map.
        poolings: along the depth; the paper's for a depth of 160.
        plane_widths: channels of the plane perceptron's levels, the full resolution first.
        separable, attention: what ASR-IPN-V2 does to it.
        plane: the plane perceptron, a name of `PLANES`.

    Raises:
        UsageError: the plane is not known, or a pooling is below 1.
    """

    def __init__(
        self,
        channels: int = 2,
        classes: int = 1,
        width: int = 32,
        poolings: Sequence[int] = (8, 5, 4),
        plane_widths: Sequence[int] = (32, 64, 128, 256),
        separable: bool = False,
        attention: bool = False,
        plane: str = "unet",
    ) -> None:
        super().__init__()
        if plane not in PLANES:
            raise UsageError(f"unknown plane {plane!r}; known: {', '.join(PLANES)}")
        self.projection = Projection(
            channels, width, poolings, separable=separable, attention=attention
        )
        self.channels, self.depth = channels, self.projection.depth
        make = partial(FeatureBlock, separable=separable, attention=attention)
        self.skip = make(width, width, kernel=(self.depth, 1, 1), stride=(self.depth, 1, 1))
        he_normal_(self)
        self.plane = PLANES[plane](
            plane_widths, partial(make, kernel=(3, 3)), channels_in=2 * width, classes=classes
        )
        self.multiple = self.plane.multiple

    def project(self, volume: Tensor) -> Tensor:
        """(N, channels, D, H, W) to the plane (N, 2 * width, H, W): what projection learning makes
        of the volume, and the first 3-D map through a convolution along the whole depth."""
        first, plane = self.projection(as_volume(volume))
        return torch.cat([plane, self.skip(first).squeeze(2)], dim=1)

    def features(self, volume: Tensor) -> Tensor:
        """(N, channels, D, H, W) to the plane perceptron's last map, plane_widths[0] wide in a
        U-Net."""
        found: Tensor = self.plane.features(self.project(volume))
        return found

    def forward(self, volume: Tensor) -> Tensor:
        logits: Tensor = self.plane(self.project(volume))
        return logits

    @property
    def head(self) -> nn.Module:
        return self.plane.head
