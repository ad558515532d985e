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
_MARGIN = 1.01  # side of the crop, in diameters: the rim stays inside the crop
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
    """A square of the photograph that is scaled to the network's square input, and the way back.

    The square starts at (left, top), may reach over the frame's edges (black there) and has `side`
    pixels of the photograph; the network takes `size` x `size`. Both scalings use half-pixel
    centres; with side == size nothing is resampled and the way back is exact.
    """

    frame_height: int
    frame_width: int
    left: int
    top: int
    side: int
    size: int

    @classmethod
    def around(cls, fov: FieldOfView, frame_height: int, frame_width: int, size: int) -> "Crop":
        """The square around a field of view."""
        side = max(1, round(2 * fov.radius * _MARGIN))
        if abs(side - size) <= _NATIVE * size and 2 * fov.radius <= size * (1 + _NATIVE / 2):
            side = size
        return cls(
            frame_height,
            frame_width,
            left=round(fov.centre_x - side / 2),
            top=round(fov.centre_y - side / 2),
            side=side,
            size=size,
        )

    def to_network(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(frame_height, frame_width, 3) uint8 -> (size, size, 3) uint8."""
        square = np.zeros((self.side, self.side, *image.shape[2:]), image.dtype)
        frame, own = self._overlap()
        square[own] = image[frame]
        return self._resize(square, self.size)

    def to_camera(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(size, size) float32 -> (frame_height, frame_width) float32, 0 outside the square."""
        square = self._resize(values, self.side)
        result = np.zeros((self.frame_height, self.frame_width), np.float32)
        frame, own = self._overlap()
        result[frame] = square[own]
        return result

    def _overlap(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of the square that lies in the frame, in the frame's and its own pixels."""
        rows = (max(self.top, 0), min(self.top + self.side, self.frame_height))
        columns = (max(self.left, 0), min(self.left + self.side, self.frame_width))
        frame = slice(*rows), slice(*columns)
        own = (
            slice(rows[0] - self.top, rows[1] - self.top),
            slice(columns[0] - self.left, columns[1] - self.left),
        )
        return frame, own

    @staticmethod
    def _resize(values: NDArray[Scalar], side: int) -> NDArray[Scalar]:
        if values.shape[0] == side:
            return values
        shrinks = side < values.shape[0]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = cv2.resize(values, (side, side), interpolation=way)
        return np.asarray(resized, values.dtype)


__all__ = ["OFFSET", "SCALE", "Crop", "FieldOfView", "find_field_of_view", "normalise"]
