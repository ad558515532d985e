"""IPN: a volume becomes a plane by pooling along its depth alone.

Source: Li et al., "Image Projection Network: 3D to 2D Image Segmentation in OCTA Images", IEEE TMI
39(11), 2020, section III.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from train.models.encoder_decoder import he_normal_
from train.models.projection_learning import Projection, as_volume


class IPN(nn.Module):
    """Input (N, channels, D, H, W) float32 in [-1, 1], D the product of `poolings`, any H and W; or
    a projection (N, channels, H, W) where that product is 1.

    Output (N, classes, H, W) float32 logits.

    Args:
        channels: OCT and OCTA, or the maps of a projection.
        classes: logits a pixel.
        width: of every map.
        poolings: along the depth; the paper's for a depth of 160.
        separable, attention: what ASR-IPN-V2 does to IPN-V2.
    """

    multiple = 1

    def __init__(
        self,
        channels: int = 2,
        classes: int = 1,
        width: int = 32,
        poolings: Sequence[int] = (5, 4, 4, 2),
        separable: bool = False,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.projection = Projection(
            channels, width, poolings, separable=separable, attention=attention
        )
        self.channels, self.depth = channels, self.projection.depth
        self.output = nn.Conv2d(width, classes, 1)
        he_normal_(self)

    def forward(self, volume: Tensor) -> Tensor:
        _, plane = self.projection(as_volume(volume))
        logits: Tensor = self.output(plane)
        return logits

    @property
    def head(self) -> nn.Module:
        return self.output
