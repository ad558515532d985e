"""Is a live eye before the camera? What a session asks of a check, and a check of nothing."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_vessel.field_of_view import FieldOfView


class Verdict(Protocol):
    """`suspicion`: a word of a-z and _, None where there is none; `enough`: whether the frames were
    enough to judge by."""

    @property
    def suspicion(self) -> str | None: ...

    @property
    def enough(self) -> bool: ...


class PresentationCheck(Protocol):
    """Sees every frame of one capture."""

    def add(self, image: NDArray[np.uint8], time_s: float, fov: FieldOfView | None) -> None:
        """image (H, W, 3) uint8 RGB; `time_s` monotonic; `fov` where it was last seen."""

    def verdict(self) -> Verdict:
        """Of the frames so far."""


class _Unsuspicious:
    suspicion = None
    enough = True


class NoCheck:
    """Suspects nobody."""

    def add(self, image: NDArray[np.uint8], time_s: float, fov: FieldOfView | None) -> None:
        """Looks at nothing."""

    def verdict(self) -> Verdict:
        """Always the same."""
        return _Unsuspicious()
