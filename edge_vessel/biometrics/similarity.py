"""Rotation, scale and shift: how one capture of an eye lies on another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Similarity:
    """z becomes `factor * z + shift`, where z = x + iy in diameters of the field of view."""

    factor: complex
    shift: complex

    @property
    def scale(self) -> float:
        """Of lengths."""
        return abs(self.factor)

    @property
    def rotation_rad(self) -> float:
        """From x towards y, in (-pi, pi]."""
        return float(np.angle(self.factor))

    @property
    def inverse(self) -> "Similarity":
        """The way back."""
        return Similarity(1 / self.factor, -self.shift / self.factor)

    def of(self, places: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """The places, moved."""
        return np.asarray(np.complex64(self.factor) * places + np.complex64(self.shift))


def fit(
    places: NDArray[np.complex64], targets: NDArray[np.complex64], weights: NDArray[np.float32]
) -> Similarity:
    """The least-squares similarity from places (N,) to targets (N,), of which two differ and have
    weight; Umeyama, IEEE TPAMI 13(4), 1991, which in the plane is one complex regression."""
    total = weights.sum()
    mean, target = (weights @ places) / total, (weights @ targets) / total
    centred = places - mean
    factor = complex(
        (weights * centred.conj()) @ (targets - target) / (weights @ np.abs(centred) ** 2)
    )
    return Similarity(factor, complex(target) - factor * complex(mean))
