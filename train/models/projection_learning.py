"""What makes a plane of a volume: unidirectional pooling between convolutions.

Source: Li et al., "Image Projection Network: 3D to 2D Image Segmentation in OCTA Images", IEEE TMI
39(11), 2020, section III: projection learning module.
"""

from collections.abc import Sequence
from functools import partial
from math import prod

from torch import Tensor, nn

from edge_vessel.errors import UsageError
from train.models.feature_block import FeatureBlock, TwoBlocks


class Projection(nn.Module):
    """(N, channels, D, H, W) to the first 3-D map (N, width, D, H, W) and the plane
    (N, width, H, W) that projection learning modules make of it.

    Each module pools along the depth alone, by its maximum, then convolves twice by 3x3x3. Where a
    depth of 1 is left, kernels are 1x3x3: the outer thirds of others would only see zeros. So a
    projection (N, channels, H, W), taken as a volume of depth 1, passes the same path.

    Args:
        channels: of the volume.
        width: of every map.
        poolings: along the depth, one a module; their product is the depth.
        separable, attention: of the blocks.

    Raises:
        UsageError: a pooling below 1.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        poolings: Sequence[int],
        *,
        separable: bool = False,
        attention: bool = False,
    ) -> None:
        super().__init__()
        if not poolings or min(poolings) < 1:
            raise UsageError(f"poolings {list(poolings)}: one or more numbers from 1, such as 5")
        self.depth = prod(poolings)
        make = partial(FeatureBlock, separable=separable, attention=attention)
        self.first = make(channels, width, kernel=_kernel(self.depth))
        modules, left = [], self.depth
        for pooling in poolings:
            left //= pooling
            block = partial(make, kernel=_kernel(left))
            modules.append(
                nn.Sequential(nn.MaxPool3d((pooling, 1, 1)), TwoBlocks(width, width, block=block))
            )
        self.learning = nn.Sequential(*modules)

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        first = self.first(volume)
        return first, self.learning(first).squeeze(2)


def as_volume(image: Tensor) -> Tensor:
    """(N, C, H, W) as (N, C, 1, H, W); volumes as they are."""
    return image.unsqueeze(2) if image.ndim == 4 else image


def _kernel(depth: int) -> tuple[int, int, int]:
    return (3 if depth > 1 else 1, 3, 3)
