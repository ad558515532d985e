"""What a check of the camera's stream may say: does it look into a living eye?

`NoCheck` and `stream_check.StreamCheck` are two of them; a session knows the protocol alone.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView

Suspicion = Literal["frozen", "looped", "motionless", "still_picture", "no_pulse"]
"""In the order in which they are given: what explains others comes first."""


@dataclass(frozen=True)
class Presentation:
    """What was found in the frames so far; None where there was nothing to measure it on.

    suspicion: the first that applies; None while there is none.
    enough: the frames suffice for a verdict; a suspicion may come before.
    last_followed: the last frame showed the retina of those before. Compare no other frame: a
        print could be put in an eye's place for a moment.
    duration_s: from the first frame to the last that was followed.
    frames: that were followed and differ from those before them.
    standstill_s: the longest time in which the camera delivered one frame only.
    movement: root mean square distance of the retina from its usual place, in diameters.
    twins: share of frames that are frames of at least 0.5 s before.
    rim: by how much the rim moves when the retina moves by one.
    pulse: share of the vessels' variance that beats, see `pulse_share`.
    """

    suspicion: Suspicion | None
    enough: bool
    last_followed: bool
    duration_s: float
    frames: int
    standstill_s: float
    movement: float | None
    twins: float | None
    rim: float | None
    pulse: float | None


class PresentationCheck(Protocol):
    """Is fed with every frame of one capture, and is then done with."""

    def add(self, image: NDArray[np.uint8], time_s: float, fov: FieldOfView | None) -> None:
        """A frame, (H, W, 3) uint8 RGB, of a clock that does not go back; `fov` None where no
        field of view was found in it."""

    def verdict(self) -> Presentation:
        """On all frames so far."""


class NoCheck:
    """Suspects nothing, asks for nothing."""

    def add(self, image: NDArray[np.uint8], time_s: float, fov: FieldOfView | None) -> None:
        pass

    def verdict(self) -> Presentation:
        return Presentation(None, True, True, 0.0, 0, 0.0, None, None, None, None)
