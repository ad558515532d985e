"""How much a vessel winds, after Bullitt et al., "Measuring tortuosity of the intracerebral
vasculature from MRA images", IEEE Transactions on Medical Imaging 22(9), 2003."""

import numpy as np
from numpy.typing import NDArray

_MIN_SWING_DEG = 10.0  # a turn that is less is the pixels' or the grader's


def distance_measure(points: NDArray[np.float64]) -> float | None:
    """The path's length over the distance between its ends: 1 for a straight one.

    Args:
        points: (N, 2), N >= 2, in any unit.

    Returns:
        At least 1; None of a closed path.
    """
    chord = float(np.hypot(*(points[-1] - points[0])))
    path = float(np.hypot(*np.diff(points, axis=0).T).sum())
    return path / chord if chord > 1e-6 * path else None


def inflection_count_metric(points: NDArray[np.float64], step: float) -> float | None:
    """The distance measure times one more than the number of inflections.

    Args:
        points: (N, 2), N >= 2.
        step: as `inflections`.

    Returns:
        At least 1; None of a closed path.
    """
    measure = distance_measure(points)
    return None if measure is None else measure * (1 + inflections(points, step))


def inflections(points: NDArray[np.float64], step: float) -> int:
    """How often the path begins to turn the other way.

    The path's direction is at an extreme there; extremes count that its direction then leaves by
    ten degrees or more.

    Args:
        points: (N, 2), N >= 2.
        step: the length of the straight pieces whose directions are compared, in the unit of
            `points`.
    """
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    count = max(2, int(along[-1] / step) + 1)
    places = np.linspace(0.0, along[-1], count)
    x, y = (np.diff(np.interp(places, along, points[:, axis])) for axis in (0, 1))
    heading = np.degrees(np.unwrap(np.arctan2(y, x)))
    return max(0, _swings(heading) - 1)


def _swings(values: NDArray[np.float64]) -> int:
    """The number of alternating rises and falls of at least _MIN_SWING_DEG."""
    swings = 0
    rising: bool | None = None
    low = high = float(values[0])
    for value in values.tolist():
        if rising is not True:
            low = min(low, value)
            if value - low >= _MIN_SWING_DEG:
                swings, rising, high = swings + 1, True, value
        if rising is not False:
            high = max(high, value)
            if high - value >= _MIN_SWING_DEG:
                swings, rising, low = swings + 1, False, value
    return swings
