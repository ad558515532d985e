"""Where a network is right and wrong, to look at."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.atomic import write_file

WHITE, YELLOW, RED = (255, 255, 255), (255, 255, 0), (255, 0, 0)


def compared(mask: NDArray[np.bool_], label: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: found vessels white, false ones yellow, missed ones red, on black."""
    picture = np.zeros((*mask.shape, 3), np.uint8)
    picture[mask & label] = WHITE
    picture[mask & ~label] = YELLOW
    picture[~mask & label] = RED
    return picture


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """(H, W, 3) uint8 RGB as PNG.

    Raises:
        DeviceError: the disk is full or the folder cannot be written.
    """
    _, content = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    write_file(path, content.tobytes())
