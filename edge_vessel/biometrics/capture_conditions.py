"""Mated pairs by how their captures differ: where a matcher errs, and where its margin is thin."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from edge_vessel.biometrics.error_rates import Rate
from edge_vessel.biometrics.similarity import Similarity

# Where a range of differences ends and the next begins; a pair lies in the first that it does not
# exceed.
_LIMITS: dict[str, tuple[float, ...]] = {
    "rotation_deg": (0.0, 5.0, 15.0),
    "scale": (1.0, 1.05, 1.15),
    "shift": (0.0, 0.1, 0.2),
    "light": (1.0, 1.1, 1.3),
}


@dataclass(frozen=True)
class Difference:
    """Between two captures of one eye.

    rotation_deg, scale, shift: as the matcher has laid one on the other, from 0, as a ratio from 1,
        and in diameters of the field; None where it found no way to. Where it errs, so may these.
    light: ratio of the brightness of the two fields, from 1.
    """

    rotation_deg: float | None
    scale: float | None
    shift: float | None
    light: float

    @classmethod
    def of(cls, pose: Similarity | None, brightness: tuple[float, float]) -> "Difference":
        """`brightness`: of both, 0 to 255."""
        darker, lighter = sorted(max(1.0, one) for one in brightness)
        if pose is None:
            return cls(None, None, None, lighter / darker)
        scale = max(pose.scale, 1 / pose.scale)
        turned = math.degrees(abs(pose.rotation_rad))
        return cls(turned, scale, abs(pose.shift), lighter / darker)


@dataclass(frozen=True)
class Condition:
    """Mated comparison trials whose captures differ in `by`, a field of `Difference`, by `low` to
    `high`, more than `low` but in the first range, None without an upper limit; both are None where
    that is not known.

    lowest, median: of their scores.
    """

    by: str
    low: float | None
    high: float | None
    fnmr: Rate
    lowest: float
    median: float


def conditions(
    pairs: Sequence[tuple[float, Difference]], threshold: float
) -> tuple[Condition, ...]:
    """Of (score, difference) of each mated pair; conditions that no pair has are left out."""
    return tuple(_conditions(pairs, threshold))


def _conditions(pairs: Sequence[tuple[float, Difference]], threshold: float) -> Iterator[Condition]:
    for by, limits in _LIMITS.items():
        bounded = list(itertools.pairwise(limits))
        rest, unknown = (limits[-1], None), (None, None)
        found: dict[tuple[float | None, float | None], list[float]]
        found = {one: [] for one in (*bounded, rest, unknown)}
        for score, difference in pairs:
            value = getattr(difference, by)
            place = unknown if value is None else rest
            inside = (one for one in bounded if value is not None and value <= one[1])
            found[next(inside, place)].append(score)
        for (low, high), scores in found.items():
            if scores:
                missed = Rate.of(sum(score < threshold for score in scores), len(scores))
                yield Condition(by, low, high, missed, min(scores), median(scores))
