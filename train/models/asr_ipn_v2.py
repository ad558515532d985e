"""ASR-IPN-V2: IPN-V2 light enough for a board.

Every convolution that extracts features is depthwise separable, and CBAM stands behind each such
block. Without one of the two it is a row of the ablation, without both IPN-V2 itself.
"""

from collections.abc import Sequence

from train.models.ipn_v2 import IPNV2


class ASRIPNV2(IPNV2):
    """Input, output and arguments as `IPNV2`."""

    def __init__(
        self,
        channels: int = 2,
        classes: int = 1,
        width: int = 32,
        poolings: Sequence[int] = (8, 5, 4),
        plane_widths: Sequence[int] = (32, 64, 128, 256),
        separable: bool = True,
        attention: bool = True,
        plane: str = "unet",
    ) -> None:
        super().__init__(
            channels, classes, width, poolings, plane_widths, separable, attention, plane
        )
