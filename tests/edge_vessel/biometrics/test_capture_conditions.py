"""Mated pairs by how their captures differ."""

import numpy as np
import pytest

from edge_vessel.biometrics.capture_conditions import Condition, Difference, conditions
from edge_vessel.biometrics.error_rates import Rate
from edge_vessel.biometrics.similarity import Similarity


@pytest.mark.parametrize("turn_deg", [-12.0, 12.0])
@pytest.mark.parametrize("scale", [0.8, 1.25])
def test_a_difference_has_no_direction(turn_deg: float, scale: float) -> None:
    pose = Similarity(scale * np.exp(1j * np.radians(turn_deg)), 0.12 - 0.16j)
    for brightness in ((50.0, 60.0), (60.0, 50.0)):
        found = Difference.of(pose, brightness)
        assert found.rotation_deg == pytest.approx(12)
        assert (found.scale, found.shift) == (pytest.approx(1.25), pytest.approx(0.2))
        assert found.light == pytest.approx(1.2)


def test_of_what_the_matcher_could_not_lay_only_the_light_is_known() -> None:
    assert Difference.of(None, (0.0, 30.0)) == Difference(None, None, None, 30.0)


def test_each_pair_stands_once_under_each_difference() -> None:
    pairs = [
        (9.0, Difference(2.0, 1.0, 0.05, 1.05)),
        (7.0, Difference(5.0, 1.02, 0.15, 1.05)),
        (1.0, Difference(20.0, 1.2, 0.3, 1.05)),
        (0.0, Difference(None, None, None, 2.0)),
    ]
    found = conditions(pairs, threshold=2.0)
    assert [one for one in found if one.by == "rotation_deg"] == [
        Condition("rotation_deg", 0.0, 5.0, Rate.of(0, 2), 7.0, 8.0),
        Condition("rotation_deg", 15.0, None, Rate.of(1, 1), 1.0, 1.0),
        Condition("rotation_deg", None, None, Rate.of(1, 1), 0.0, 0.0),
    ]
    assert [(one.low, one.high, one.fnmr.trials) for one in found if one.by == "light"] == [
        (1.0, 1.1, 3), (1.3, None, 1),
    ]  # fmt: skip
    for by in ("rotation_deg", "scale", "shift", "light"):
        assert sum(one.fnmr.trials for one in found if one.by == by) == len(pairs)
