"""What a check of the camera's stream found: does it look into a living eye?"""

from dataclasses import dataclass
from typing import Literal

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
