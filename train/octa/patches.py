"""Random patches of rendered eyes: cut anywhere, mirrored, scaled."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from edge_vessel.errors import UsageError


def network_input(values: NDArray[np.uint8]) -> Tensor:
    """(..., H, W) uint8 to float32 in [-1, 1]."""
    return torch.from_numpy(np.asarray(values, np.float32) / np.float32(127.5) - 1.0)


class Patches:
    """Batches without end, the same for the same state of `random`.

    Args:
        images: (N, channels, [depth,] H, W) uint8, mapped or in memory.
        labels: (N, H, W) bool.
        eyes: places that patches are cut from.
        size_px: side of a patch.
        scale: a patch is cut larger or smaller by up to this share, evenly, and resized.

    Raises:
        UsageError: a plane is smaller than the largest patch.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.bool_],
        eyes: list[int],
        size_px: int,
        scale: float,
        random: np.random.Generator,
    ) -> None:
        self._images, self._labels, self._eyes = images, labels, eyes
        self._size, self._scale = size_px, scale
        self._random = random
        if round(size_px * (1.0 + scale)) > min(labels.shape[1:]):
            raise UsageError(
                f"patch_px {size_px}, scaled by {scale:.0%}: larger than a plane of "
                f"{labels.shape[2]}x{labels.shape[1]} px"
            )

    def batch(self, count: int) -> tuple[Tensor, Tensor]:
        """(count, channels, [depth,] size, size) float32 in [-1, 1], and (count, 1, size, size)
        the share of vessel."""
        found = [self._one() for _ in range(count)]
        images, labels = zip(*found, strict=True)
        return torch.stack(images), torch.stack(labels)

    def _one(self) -> tuple[Tensor, Tensor]:
        random = self._random
        eye = self._eyes[int(random.integers(len(self._eyes)))]
        side = round(self._size * (1.0 + random.uniform(-self._scale, self._scale)))
        height, width = self._labels.shape[1:]
        top, left = (int(random.integers(length - side + 1)) for length in (height, width))
        place = (..., slice(top, top + side), slice(left, left + side))
        image = network_input(self._images[eye][place])
        label = torch.from_numpy(self._labels[eye][place].astype(np.float32))[None]
        axes = [axis for axis in (-2, -1) if random.random() < 0.5]
        return _resized(image.flip(axes), self._size), _resized(label.flip(axes), self._size)


def _resized(values: Tensor, side: int) -> Tensor:
    """(..., H, W) at side x side, linearly."""
    if values.shape[-1] == side:
        return values
    planes = values.reshape(1, -1, *values.shape[-2:])
    size = (side, side)
    scaled = F.interpolate(planes, size, mode="bilinear", align_corners=False)
    return scaled.reshape(*values.shape[:-2], *size)
