"""Random crops of photographs, at the scale, angle and place that the network is to learn."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import find_field_of_view
from train.augmentation.camera import other_camera
from train.data.dataset import Sample

_MULTIPLE = 16  # of a side, for every network of `train.models`
_SMALLEST_FOV = 32.0  # px; no vessel is left of a photograph so small
_LEVEL = 2**-0.5  # each level of a pyramid against the one before


@dataclass(frozen=True)
class CropOptions:
    """How crops are cut.

    Attributes:
        size_px: height and width of a crop.
        count: crops an epoch.
        fov_diameter_px: the field of view's diameter after scaling is drawn from this range,
            evenly on a logarithmic scale; none leaves photographs at their
            own size, give or take a tenth.
        usual_diameter_px: half of the crops take this diameter, give or take a tenth.
        camera: the share of crops that pass `augmentation.camera`, 0 to 1.
    """

    size_px: int = 384
    count: int = 480
    fov_diameter_px: tuple[float, float] | None = None
    usual_diameter_px: float | None = None
    camera: float = 0.0

    @property
    def watched_diameter_px(self) -> float | None:
        """Where validation photographs stand for the crops: the usual diameter, or the range's
        middle; none for photographs at their own size."""
        if self.usual_diameter_px is not None or self.fov_diameter_px is None:
            return self.usual_diameter_px
        low, high = self.fov_diameter_px
        return (low * high) ** 0.5

    def check(self) -> None:
        """Raises UsageError for what cannot be cut."""
        if self.size_px < _MULTIPLE or self.size_px % _MULTIPLE:
            raise UsageError(
                f"--data.crops.size_px {self.size_px}: a multiple of {_MULTIPLE}, such as 384"
            )
        if self.count < 1:
            raise UsageError(f"--data.crops.count {self.count}: 1 or more")
        if not 0.0 <= self.camera <= 1.0:
            raise UsageError(f"--data.crops.camera {self.camera}: a share, from 0 to 1")
        if self.usual_diameter_px is not None and not self.usual_diameter_px >= _SMALLEST_FOV:
            raise UsageError(
                f"--data.crops.usual_diameter_px {self.usual_diameter_px}: "
                f"{_SMALLEST_FOV} px or more"
            )
        low, high = self.fov_diameter_px or (_SMALLEST_FOV, _SMALLEST_FOV)
        if not _SMALLEST_FOV <= low <= high:
            raise UsageError(
                f"--data.crops.fov_diameter_px {[low, high]}: the smaller first, both "
                f"{_SMALLEST_FOV} px or more"
            )


class Photograph:
    """One photograph in levels of falling size, each 0.71 of the one before.

    Attributes:
        diameter_px, centre: of its field of view, in its own pixels, centre as (x, y).
    """

    def __init__(self, sample: Sample, smallest: float) -> None:
        fov = find_field_of_view(sample.image)
        if fov is None:
            raise UsageError(f"{sample.id}: no field of view found in this photograph")
        self.diameter_px = 2 * fov.radius
        self.centre = (fov.centre_x, fov.centre_y)
        self.levels = [np.dstack([sample.image, sample.target])]
        while self.levels[-1].shape[0] * _LEVEL / sample.image.shape[0] >= smallest:
            height, width = (round(side * _LEVEL) for side in self.levels[-1].shape[:2])
            smaller = cv2.resize(self.levels[-1], (width, height), interpolation=cv2.INTER_AREA)
            self.levels.append(np.asarray(smaller, np.uint8))

    def cut(
        self, scale: float, angle: float, flip: bool, at: tuple[float, float], size: int
    ) -> NDArray[np.uint8]:
        """A (size, size, 4) uint8 crop, RGB and label, black outside the photograph.

        Args:
            scale: pixels of the crop for one of the photograph.
            angle: in radians.
            at: (x, y) of the photograph in the crop's middle; pixel centres at half-integers.
        """
        full = self.levels[0].shape[0]
        level = max(
            (index for index, one in enumerate(self.levels) if one.shape[0] >= scale * full * 0.99),
            default=0,
        )
        source = self.levels[level]
        shrunk = source.shape[0] / full
        forward = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * (
            scale / shrunk
        )
        if flip:
            forward[:, 0] *= -1
        middle = np.array([(size - 1) / 2, (size - 1) / 2])
        shift = middle - forward @ (np.array(at) * shrunk - 0.5)
        matrix = np.hstack([forward, shift[:, None]])
        return np.asarray(cv2.warpAffine(source, matrix, (size, size)), np.uint8)


class RandomCrops(Dataset[tuple[Tensor, Tensor]]):
    """Items: image (3, size, size) uint8 RGB, label (1, size, size) uint8 share of vessel, 0-255.

    Each data set is drawn as often as the others, however many photographs it has. An item's
    number and the seed decide everything about it.
    """

    def __init__(self, samples: list[list[Sample]], options: CropOptions, seed: int) -> None:
        self._options = options
        self._seed = seed
        smallest = 0.5  # of a photograph's own size; finer levels than a scale of 0.35 are rare
        if options.fov_diameter_px is not None:
            widest = max(sample.image.shape[1] for group in samples for sample in group)
            smallest = min(1.0, min(options.fov_diameter_px) / widest)
        self._groups = [[Photograph(one, smallest) for one in group] for group in samples]

    def __len__(self) -> int:
        return self._options.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self._seed, index))
        group = self._groups[int(random.integers(len(self._groups)))]
        one = group[int(random.integers(len(group)))]
        cut = one.cut(
            self._diameter(one, random) / one.diameter_px,
            random.uniform(-np.pi, np.pi),
            random.random() < 0.5,
            self._place(one, random),
            self._options.size_px,
        )
        image, label = cut[..., :3], cut[..., 3]
        if random.random() < self._options.camera:
            image = other_camera(image, random)
        planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return planes, torch.from_numpy(np.ascontiguousarray(label[None]))

    def _diameter(self, one: Photograph, random: np.random.Generator) -> float:
        options = self._options
        if options.fov_diameter_px is None:
            return one.diameter_px * random.uniform(0.9, 1.1)
        if options.usual_diameter_px is not None and random.random() < 0.5:
            return options.usual_diameter_px * random.uniform(0.9, 1.1)
        return float(np.exp(random.uniform(*np.log(options.fov_diameter_px))))

    def _place(self, one: Photograph, random: np.random.Generator) -> tuple[float, float]:
        """Anywhere in the field of view, evenly, but for its rim: crops reach over it enough."""
        angle = random.uniform(0, 2 * np.pi)
        radius = 0.85 * one.diameter_px / 2 * np.sqrt(random.random())
        x, y = one.centre
        return x + radius * np.cos(angle), y + radius * np.sin(angle)
