"""Do the vessels' grey levels beat?"""

import numpy as np
from numpy.typing import NDArray

_MIN_S = 4.0  # three beats of a slow heart
_RATES_HZ = np.arange(0.7, 3.0, 0.05)
_MIN_FRAMES_PER_S = 8.0  # two and a half for each beat of the fastest
_TREND = 4  # coefficients of the polynomial that slow changes of the light are

Series = NDArray[np.float64]
"""(N,), a value for each frame."""


def pulse_share(times_s: Series, x: Series, y: Series, level: Series) -> float | None:
    """The share of the vessels' variance that one rate between 0.7 and 3 Hz explains, 0 to 1.

    What trend and movement explain is taken out first: a picture in a hand sways at such rates too,
    and vessels that are laid on each other a little beside the mark look paler.

    Args:
        times_s: of the frames.
        x, y: the retina's place, in diameters.
        level: logarithm of the vessels' level.

    Returns:
        None where the frames span less than 4 s, or are fewer than eight a second.
    """
    span_s = float(np.ptp(times_s)) if len(times_s) else 0.0
    if span_s < _MIN_S or len(times_s) < _MIN_FRAMES_PER_S * span_s:
        return None
    x, y = x - x.mean(), y - y.mean()
    trend = np.vander(2 * (times_s - times_s[0]) / span_s - 1, _TREND)
    known, _ = np.linalg.qr(np.column_stack([trend, x, y, x * x, x * y, y * y]))
    rest = level - known @ (known.T @ level)
    variance = float(rest @ rest)
    if variance <= 1e-12 * len(rest):
        return 0.0
    best = 0.0
    for rate_hz in _RATES_HZ:
        phase = 2 * np.pi * rate_hz * times_s
        wave = np.column_stack([np.sin(phase), np.cos(phase)])
        wave, _ = np.linalg.qr(wave - known @ (known.T @ wave))
        best = max(best, float(((wave.T @ rest) ** 2).sum()) / variance)
    return best
