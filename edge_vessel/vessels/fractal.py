"""Fractal dimension by counting boxes."""

import numpy as np
from numpy.typing import NDArray

_PARTS = (4, 6, 8, 11, 16, 23, 32, 45, 64)  # of the side: boxes of a quarter to a 64th of it
_MIN_BOX_PX = 2.0
_OFFSETS = 4  # grids along each axis
_MIN_SIZES = 4


def box_counting_dimension(figure: NDArray[np.bool_], side_px: float) -> float | None:
    """The slope of log N(s) over log 1/s, by least squares, where N(s) is the number of boxes of s
    by s pixels that hold a part of the figure: the least over sixteen positions of the grid,
    the first of which begins where the figure does.

    A line gives 1, a filled square 2. Boxes are shares of `side_px`, so that photographs of one
    field of view in two resolutions compare. Source: Mandelbrot, The Fractal Geometry of Nature,
    1982; for retinal vessels Mainster, "The fractal properties of retinal vessels", Eye 4, 1990.

    Args:
        figure: (H, W) bool.
        side_px: of the figure's frame; of a fundus the diameter of the field of view.

    Returns:
        None of an empty figure, and of a frame too small for four sizes of boxes.
    """
    sizes = [side_px / parts for parts in _PARTS if side_px / parts >= _MIN_BOX_PX]
    pixels = np.argwhere(figure)
    if len(sizes) < _MIN_SIZES or not len(pixels):
        return None
    pixels -= pixels.min(axis=0)
    counts = [_fewest_boxes(pixels, size) for size in sizes]
    slope, _ = np.polyfit(np.log(sizes), np.log(counts), 1)
    return -float(slope)


def _fewest_boxes(pixels: NDArray[np.intp], size: float) -> int:
    offsets = [size * k / _OFFSETS for k in range(_OFFSETS)]
    # (offset, pixel): the row and the column of the box.
    rows, columns = (
        np.array([(pixels[:, axis] + 0.5 + offset) / size for offset in offsets], np.intp)
        for axis in (0, 1)
    )
    width = int(columns.max()) + 1
    fewest = len(pixels)
    for row in rows * width:
        for column in columns:
            met = np.zeros((int(rows.max()) + 1) * width, np.bool_)
            met[row + column] = True
            fewest = min(fewest, int(np.count_nonzero(met)))
    return fewest
