"""Tells some false streams from that of a camera which looks into a living eye.

| suspicion | what was seen | after |
|---|---|---|
| frozen | one frame again and again | 1 s |
| looped | frames that were there before, noise and all | period + 0.5 s |
| motionless | a retina that does not move | 2 s |
| still_picture | the rim moves with the retina: a whole photograph before the lens | 2 s |
| no_pulse | vessels that do not beat at 0.7 to 3 Hz | 4 s |

What passes: a recording of a living eye in the place of the camera's stream or filmed from a
screen; a loop longer than the capture, or encoded anew with loss; without `require_pulse` a picture
in a moving hand whose rim the camera does not see. An eye with a printed contact lens moves and
beats. Against a stream put in the camera's place guard cable and device.

The limits lie between what simulated eyes and simulated attacks show (`python -m bench
presentation`). There was no footage of living eyes. How strongly vessels beat in the green channel
of a given camera is not known here: the pulse is measured, and required only on demand.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView
from edge_vessel.kiosk.presentation import Presentation, Suspicion
from edge_vessel.kiosk.pulse import pulse_share
from edge_vessel.kiosk.retinal_motion import Seen, Tracker

_MIN_S = 2.0
_MIN_FRAMES = 10
_MOST_FRAMES = 300  # remembered: 10 s at 30 frames a second
_MOST_MISSED = 10  # frames in a row that do not show the first's retina; then all begins anew
_SAME = 0.02  # grey levels: a mean difference that no sensor's noise is below
_FROZEN_S = 1.0
# A still scene seems to move by less than 0.00004 for the noise; an eye that fixates moves by a
# tenth of a degree (Rolfs, Vision Research 49, 2009): 0.002 diameters of a field of 45 degrees.
_MIN_MOVEMENT = 0.0003
_TWIN_AGE_S = 0.5  # a frame that was there before came back from so long ago
_TWIN = 0.5  # of the change between neighbours, which is noise: fresh noise differs by all of it
_MIN_TWINS, _MIN_TWIN_SHARE = 3, 0.05
_JUDGED_MOVEMENT = 0.002  # diameters, below which the rim's own jitter counts
_RIM_FOLLOWS = 0.5  # 0 of a camera's own field stop, 1 of a photograph's
_MIN_PULSE = 0.4


class StreamCheck:
    """Looks for the signs above; keeps samples of the last 300 frames, no picture but the first's.

    Args:
        require_pulse: suspects eyes whose vessels do not beat, which takes 4 s at 8 frames a second
            or more.
    """

    def __init__(self, require_pulse: bool = False) -> None:
        self._require_pulse = require_pulse
        self._tracker: Tracker | None = None
        self._begin()

    def _begin(self) -> None:
        self._seen: deque[Seen] = deque(maxlen=_MOST_FRAMES)
        self._nearest: deque[float | None] = deque(maxlen=_MOST_FRAMES)
        self._samples = np.zeros((_MOST_FRAMES, 0), np.int16)
        self._times_s = np.full(_MOST_FRAMES, np.inf)
        self._followed = self._fresh = self._missed = 0
        self._first_s = self._last_s = self._standstill_s = 0.0
        self._last_followed = False

    def add(self, image: NDArray[np.uint8], time_s: float, fov: FieldOfView | None) -> None:
        """See `PresentationCheck`."""
        self._last_followed = False
        if fov is None:
            return
        if self._tracker is None or self._missed == _MOST_MISSED:
            self._tracker = Tracker(image, fov)
            self._begin()
            self._first_s = time_s
        seen = self._tracker.follow(image, time_s, fov)
        if seen is None:
            self._missed += 1
            return
        self._missed = 0
        self._last_followed = True
        self._followed += 1
        self._last_s = time_s
        before = self._seen[-1] if self._seen else None
        if before is not None and _difference(before.samples, seen.samples) < _SAME:
            self._standstill_s = max(self._standstill_s, time_s - before.time_s)
            return
        self._remember(seen)

    def _remember(self, seen: Seen) -> None:
        if not self._seen:
            self._samples = np.zeros((_MOST_FRAMES, len(seen.samples)), np.int16)
        old = self._samples[self._times_s <= seen.time_s - _TWIN_AGE_S]
        self._nearest.append(float(_difference(old, seen.samples).min()) if len(old) else None)
        self._seen.append(seen)
        at = self._fresh % _MOST_FRAMES
        self._samples[at], self._times_s[at] = seen.samples, seen.time_s
        self._fresh += 1

    def verdict(self) -> Presentation:
        """See `PresentationCheck`; takes some milliseconds."""
        duration_s = self._last_s - self._first_s
        pulse = self._pulse()
        enough = self._followed >= _MIN_FRAMES and duration_s >= _MIN_S
        enough &= pulse is not None or not self._require_pulse
        found = Presentation(
            None, enough, self._last_followed, duration_s, self._fresh, self._standstill_s,
            self._movement(), self._twins(), self._rim(), pulse,
        )  # fmt: skip
        return replace(found, suspicion=next(self._suspicions(found), None))

    def _suspicions(self, found: Presentation) -> Iterator[Suspicion]:
        """In the order of `Suspicion`."""
        if found.standstill_s >= _FROZEN_S:
            yield "frozen"
        if found.twins is not None and found.twins >= _MIN_TWIN_SHARE:
            yield "looped"
        if self._followed < _MIN_FRAMES or found.duration_s < _MIN_S:
            return
        if found.movement is not None and found.movement < _MIN_MOVEMENT:
            yield "motionless"
        if found.rim is not None and found.rim > _RIM_FOLLOWS:
            yield "still_picture"
        if self._require_pulse and found.pulse is not None and found.pulse < _MIN_PULSE:
            yield "no_pulse"

    def _places(self, rim: bool = False) -> NDArray[np.float64]:
        """(N, 2), from the usual place."""
        places = np.array([(one.rim_x, one.rim_y) if rim else (one.x, one.y) for one in self._seen])
        return np.asarray(places - np.median(places, axis=0))

    def _movement(self) -> float | None:
        if not self._seen:
            return None
        return float(np.sqrt((self._places() ** 2).sum(axis=1).mean()))

    def _twins(self) -> float | None:
        asked = [one for one in self._nearest if one is not None]
        if not asked:
            return None
        usual = float(np.median([one.change for one in list(self._seen)[1:]]))
        twins = sum(one < _TWIN * usual for one in asked)
        return twins / len(asked) if twins >= _MIN_TWINS else 0.0

    def _rim(self) -> float | None:
        movement = self._movement()
        if movement is None or movement < _JUDGED_MOVEMENT:
            return None
        retina, rim = self._places(), self._places(rim=True)
        return float((retina * rim).sum() / (retina**2).sum())

    def _pulse(self) -> float | None:
        lit = [one for one in self._seen if one.vessel_level is not None]
        columns = [(one.time_s, one.x, one.y, one.vessel_level) for one in lit]
        return pulse_share(*np.array(columns, np.float64).reshape(-1, 4).T)


def _difference(samples: NDArray[np.int16], others: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean absolute difference over the last axis, in grey levels."""
    return np.asarray(np.abs(samples - others).mean(axis=-1), np.float64)
