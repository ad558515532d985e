"""IPN-V2+: IPN-V2 on patches, then a 2-D network on the whole plane ("global retraining").

Source: Li et al., "IPN-V2 and OCTA-500: Methodology and Dataset for Retinal Image Segmentation",
arXiv 2012.07261, section on global retraining.
"""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from train.models.encoder_decoder import EncoderDecoder
from train.models.feature_block import FeatureBlock, TwoBlocks
from train.models.ipn_v2 import IPNV2


class IPNV2Plus(nn.Module):
    """Input and output as `IPNV2`; arguments too, `global_widths` are the second network's levels.

    `local` gives the 2-D features of a patch, `whole` turns those of all patches, stitched, into
    logits. Called with one volume, both see it in one piece. The first stage of training knows
    `local` alone, the second `whole` alone.
    """

    def __init__(
        self,
        channels: int = 2,
        classes: int = 1,
        width: int = 32,
        poolings: Sequence[int] = (8, 5, 4),
        plane_widths: Sequence[int] = (32, 64, 128, 256),
        global_widths: Sequence[int] = (32, 64, 128, 256),
    ) -> None:
        super().__init__()
        self.local = IPNV2(channels, classes, width, poolings, plane_widths)
        self.channels, self.depth = channels, self.local.depth
        self.whole = EncoderDecoder(
            global_widths,
            partial(TwoBlocks, block=partial(FeatureBlock, kernel=(3, 3))),
            channels_in=plane_widths[0],
            classes=classes,
        )
        self.multiple = max(self.local.multiple, self.whole.multiple)

    def features(self, volume: Tensor) -> Tensor:
        """(N, channels, D, H, W) to the 2-D features (N, plane_widths[0], H, W) of one patch."""
        return self.local.features(volume)

    def training_logits(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Of both stages: the patch's own logits, and those of the second network."""
        features = self.features(volume)
        return self.local.head(features), self.whole(features)

    def forward(self, volume: Tensor) -> Tensor:
        logits: Tensor = self.whole(self.features(volume))
        return logits

    @property
    def head(self) -> nn.Module:
        return self.whole.head
