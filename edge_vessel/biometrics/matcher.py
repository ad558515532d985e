"""Do two templates show one eye? Registration, then a likelihood ratio."""

from dataclasses import dataclass

import numpy as np

from edge_vessel.biometrics.registration import Bank, Chart, refine
from edge_vessel.biometrics.similarity import Similarity
from edge_vessel.biometrics.template import GRID, Template

TOLERANCE = 0.012  # diameters between two samples that agree
_TOLERANCE_COS = np.cos(2 * np.radians(22.0))  # of twice the angle between their axes
_MAX_ROTATION_RAD = np.radians(35.0)
_MIN_SCALE, _MAX_SCALE = 0.75, 1.34
# Shares of samples that agree: three quarters and a quarter lie within what RIDB's mated and
# non-mated pairs show, the latter laid as well as they can be (docs/biometrics.md). Samples on one
# vessel agree together: the spread of non-mated shares is that of a trial for every 2 to 9 samples.
_AGREE_ONE_EYE = 0.75
_AGREE_TWO_EYES = 0.25
_SAMPLES_PER_TRIAL = 8.0

THRESHOLD = 2.0
"""The score from which the kiosk says `match`: a hundred times likelier of one eye than of two."""


@dataclass(frozen=True)
class Comparison:
    """How a probe lies on a reference.

    score: log10 of the likelihood ratio, one eye over two; 0 where nothing speaks for either.
    agreeing, compared: of both templates' samples inside what both saw, those with a partner in
        the other, and all.
    pose: from the probe's coordinates to the reference's; None where they share nothing.
    """

    score: float
    agreeing: int
    compared: int
    pose: Similarity | None


_NOTHING = Comparison(0.0, 0, 0, None)


class Probe:
    """A template, prepared to be compared with many."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.bank = Bank(template)
        self.chart = Chart(template)

    def compare(self, reference: Template) -> Comparison:
        """The best of all poses."""
        if not len(self.template.samples) or not len(reference.samples):
            return _NOTHING
        chart = Chart(reference)
        poses = (refine(self.bank, chart, pose) for pose in self.bank.poses(reference))
        found = [self._judge(reference, chart, pose) for pose in poses if _allowed(pose)]
        return max(found, key=lambda one: one.score, default=_NOTHING)

    def _judge(self, reference: Template, chart: Chart, pose: Similarity) -> Comparison:
        there = _partners(self.chart, chart, pose, reference)
        back = _partners(chart, self.chart, pose.inverse, self.template)
        agreeing, compared = there[0] + back[0], there[1] + back[1]
        return Comparison(score(agreeing, compared), agreeing, compared, pose)


def compare(probe: Template, reference: Template) -> Comparison:
    """One to one."""
    return Probe(probe).compare(reference)


def score(agreeing: int, compared: int) -> float:
    """log10 of the ratio of two binomial laws: three quarters agree in captures of one eye, a
    quarter in those of two."""
    agree = np.log10(_AGREE_ONE_EYE / _AGREE_TWO_EYES)
    differ = np.log10((1 - _AGREE_ONE_EYE) / (1 - _AGREE_TWO_EYES))
    return float(agreeing * agree + (compared - agreeing) * differ) / _SAMPLES_PER_TRIAL


def information_bits(template: Template) -> float:
    """What the template tells of an eye: the relative entropy of the two laws of `score`, expected
    over captures of the eye (Adler, Youmaran and Loyka, "Towards a measure of biometric
    information", CCECE 2006).

    It assumes that one sample in eight is independent, that all of the template is seen again, and
    that the shares of the laws hold for all eyes. It is no number of eyes that can be told apart,
    and says nothing of how hard a template is to guess.
    """
    return float(score(3, 4) * np.log2(10) / 4) * len(template.samples)


def _allowed(pose: Similarity) -> bool:
    turned = abs(pose.rotation_rad) <= _MAX_ROTATION_RAD
    return bool(turned) and _MIN_SCALE <= pose.scale <= _MAX_SCALE


def _partners(own: Chart, other: Chart, pose: Similarity, seen_by: Template) -> tuple[int, int]:
    """(samples of `own` that have a partner, samples that could have one)."""
    moved = pose.of(own.places)
    column, row = (
        np.clip(np.floor((part + 1) * (GRID / 2)), 0, GRID - 1).astype(np.intp)
        for part in (moved.real, moved.imag)
    )
    seen = seen_by.field[row, column] & (np.maximum(abs(moved.real), abs(moved.imag)) < 1)
    near = other.nearest(moved)
    close = np.abs(moved - other.places[near]) <= TOLERANCE
    turned = own.axes + np.float32(pose.rotation_rad) - other.axes[near]
    alike = np.cos(2 * turned) >= _TOLERANCE_COS
    return int(np.count_nonzero(seen & close & alike)), int(np.count_nonzero(seen))
