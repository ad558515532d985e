"""The centre lines of a vessel mask, one pixel wide, and the mask made fit for them."""

import cv2
import numpy as np
from numpy.typing import NDArray

# The neighbours of a pixel, clockwise from the upper left; neighbour k is bit k of its code.
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_UP, _RIGHT, _DOWN, _LEFT = 1, 3, 5, 7
_PINHOLE = 0.5  # of the squared mean calibre: a reflex along a vessel
_DOT = 0.1  # of the same: noise; more would take hairs of one pixel's width


def skeletonise(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thins a mask to lines one pixel wide of the same topology (8-connected lines, 4-connected
    background); the ends of lines stay.

    Border pixels are taken off in turn from above, below, right and left wherever that neither
    breaks a line, fills a hole nor shortens an end. Source: Rosenfeld, "A characterization of
    parallel thinning algorithms", Information and Control 29, 1975. Only pixels beside those of the
    last turn are looked at again, so that wide vessels cost no more than narrow ones.

    Args:
        mask: (H, W) bool, any size.

    Returns:
        (H, W) bool, a new array.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    pixels = padded.ravel()
    steps = neighbour_steps(padded.shape[1])
    candidates = np.flatnonzero(pixels)
    while len(candidates):
        gone = [
            _take_off(pixels, candidates, steps, table)
            for table in (_TABLES[_UP], _TABLES[_DOWN], _TABLES[_RIGHT], _TABLES[_LEFT])
        ]
        beside = (np.concatenate(gone)[:, None] + steps).ravel()
        candidates = np.unique(beside[pixels[beside] > 0])
    return padded[1:-1, 1:-1] > 0


def neighbour_steps(width: int) -> NDArray[np.intp]:
    """The offsets (8,) to a pixel's neighbours in the flat array of a picture `width` wide."""
    return np.array([row * width + column for row, column in NEIGHBOURS], np.intp)


def without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask with its pinholes filled, each of which would be a loop of two vessels, and without
    its dots.

    Pinholes are smaller than half the square of the mean calibre, dots than a tenth. The calibre is
    four times the mean distance of vessel pixels to the background.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) bool, a new array.
    """
    vessels = np.pad(mask, 1).astype(np.uint8)
    distance = cv2.distanceTransform(vessels, cv2.DIST_L2, cv2.DIST_MASK_5)
    calibre = 4 * float(distance.sum()) / max(1, int(np.count_nonzero(vessels)))
    kept = vessels.astype(np.bool_) & ~_smaller(vessels, 8, _DOT * calibre**2)
    return np.asarray(kept | _smaller(1 - vessels, 4, _PINHOLE * calibre**2))[1:-1, 1:-1]


def _smaller(picture: NDArray[np.uint8], neighbours: int, most_px: float) -> NDArray[np.bool_]:
    """The parts of the picture that hang together and have fewer pixels than `most_px`."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(picture, connectivity=neighbours)
    small = stats[:, cv2.CC_STAT_AREA] < most_px
    small[0] = False  # what is 0 in the picture
    return np.asarray(small[labels], np.bool_)


def _take_off(
    pixels: NDArray[np.uint8],
    candidates: NDArray[np.intp],
    steps: NDArray[np.intp],
    table: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Clears the candidates whose neighbours `table` allows; says which."""
    code = np.zeros(len(candidates), np.uint8)
    for bit, step in enumerate(steps):
        code |= pixels[candidates + step] << np.uint8(bit)
    gone = candidates[table[code] & (pixels[candidates] > 0)]
    pixels[gone] = 0
    return gone


def _tables() -> dict[int, NDArray[np.bool_]]:
    """For each side, (256,) bool over the codes: may a border pixel of that side be taken off?"""
    x = (np.arange(256)[:, None] >> np.arange(8)) & 1 > 0
    # Yokoi's connectivity number: 1 where the pixel's removal changes no topology.
    number = sum(
        (~x[:, k] & (x[:, (k + 1) % 8] | x[:, (k + 2) % 8])).astype(int)
        for k in (_UP, _RIGHT, _DOWN, _LEFT)
    )
    removable = (number == 1) & (x.sum(axis=1) > 1)
    return {side: removable & ~x[:, side] for side in (_UP, _RIGHT, _DOWN, _LEFT)}


_TABLES = _tables()
