"""What the network sees: the one definition for training, parity checks, bench and the board."""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView, find_field_of_view

Scalar = TypeVar("Scalar", np.uint8, np.float32)

SCALE = 1.0 / 127.5  # the network gets x * SCALE + OFFSET, in [-1, 1]
OFFSET = -1.0
_MARGIN = 1.01  # size of the crop, in diameters: the rim stays inside the crop
_NATIVE = 0.03  # a crop this near to the network's size is taken without resampling


def normalise(
    image: NDArray[np.uint8], scale: float = SCALE, offset: float = OFFSET
) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, H, W) float32, x * scale + offset."""
    planar = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)
    planar *= np.float32(scale)
    planar += np.float32(offset)
    return planar


@dataclass(frozen=True)
class Crop:
    """A rectangle of the photograph that is scaled to the network's input, and the way back.

    The rectangle starts at (left, top), may reach over the frame's edges (black there) and has
    `height` x `width` pixels of the photograph; the network takes `out_height` x `out_width`, of
    the same proportions. Both scalings use half-pixel centres; at the network's own size nothing is
    resampled and the way back is exact.
    """

    frame_height: int
    frame_width: int
    left: int
    top: int
    height: int
    width: int
    out_height: int
    out_width: int

    @classmethod
    def around(
        cls,
        fov: FieldOfView,
        frame_height: int,
        frame_width: int,
        out_height: int,
        out_width: int,
    ) -> "Crop":
        """The rectangle around a field of view, for a network of this input.

        A square network sees the whole circle. Of a circle that the frame cuts off, a wider or
        higher one sees what the frame shows, and no more black than it must.
        """
        centre_y, centre_x = fov.centre_y, fov.centre_x
        rows = columns = 2 * fov.radius
        whole = out_height == out_width
        if not whole:
            centre_y, rows = _shown(centre_y, fov.radius, frame_height)
            centre_x, columns = _shown(centre_x, fov.radius, frame_width)
        scale = max(rows / out_height, columns / out_width)
        if abs(scale * _MARGIN - 1) <= _NATIVE and scale <= 1 + _NATIVE / 2:
            height, width = out_height, out_width
        else:
            height = max(1, round(scale * _MARGIN * out_height))
            width = max(1, round(scale * _MARGIN * out_width))
        top, left = round(centre_y - height / 2), round(centre_x - width / 2)
        if not whole:
            top, left = _inside(top, height, frame_height), _inside(left, width, frame_width)
        return cls(frame_height, frame_width, left, top, height, width, out_height, out_width)

    @property
    def scale(self) -> float:
        """Pixels of the photograph for one of the network."""
        return self.height / self.out_height

    def to_network(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(frame_height, frame_width, 3) uint8 -> (out_height, out_width, 3) uint8."""
        cut = np.zeros((self.height, self.width, *image.shape[2:]), image.dtype)
        frame, own = self._overlap()
        cut[own] = image[frame]
        return self._resize(cut, self.out_height, self.out_width)

    def to_camera(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(out_height, out_width) -> (frame_height, frame_width) float32, 0 outside."""
        cut = self._resize(values, self.height, self.width)
        result = np.zeros((self.frame_height, self.frame_width), np.float32)
        frame, own = self._overlap()
        result[frame] = cut[own]
        return result

    def _overlap(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of the rectangle that lies in the frame, in the frame's and its own pixels."""
        rows = (max(self.top, 0), min(self.top + self.height, self.frame_height))
        columns = (max(self.left, 0), min(self.left + self.width, self.frame_width))
        frame = slice(*rows), slice(*columns)
        own = (
            slice(rows[0] - self.top, rows[1] - self.top),
            slice(columns[0] - self.left, columns[1] - self.left),
        )
        return frame, own

    @staticmethod
    def _resize(values: NDArray[Scalar], height: int, width: int) -> NDArray[Scalar]:
        if values.shape[:2] == (height, width):
            return values
        shrinks = height < values.shape[0]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = cv2.resize(values, (width, height), interpolation=way)
        return np.asarray(resized, values.dtype)


def _shown(centre: float, radius: float, frame: int) -> tuple[float, float]:
    """Centre and extent of what the frame shows of a circle along one axis."""
    low, high = max(centre - radius, 0.0), min(centre + radius, float(frame))
    return (low + high) / 2, max(high - low, 1.0)


def _inside(start: int, extent: int, frame: int) -> int:
    """The start moved so that the extent lies in the frame, where it fits."""
    return min(max(start, 0), frame - extent) if extent <= frame else start


__all__ = ["OFFSET", "SCALE", "Crop", "FieldOfView", "find_field_of_view", "normalise"]
