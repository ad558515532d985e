"""Landmarks of drawn junctions whose angles and calibres are known."""

import numpy as np
import pytest
from vessel_drawings import draw, ray, star

from edge_vessel.vessels.field import Field
from edge_vessel.vessels.graph import vessel_graph
from edge_vessel.vessels.landmarks import Landmark, find_landmarks


def landmarks(mask) -> list[Landmark]:
    return list(find_landmarks(vessel_graph(mask, Field.of_frame(*mask.shape))))


def only(found: list[Landmark], kind: str) -> Landmark:
    (one,) = [landmark for landmark in found if landmark.kind == kind]
    return one


def off_deg(first: float, second: float, period: float = 360) -> float:
    return abs((first - second + period / 2) % period - period / 2)


@pytest.mark.parametrize("turn", range(0, 360, 30))
@pytest.mark.parametrize("children", [(-20, 25), (-35, 40), (-45, 45), (-15, 60)])
def test_a_bifurcation_of_known_angles(turn, children):
    left, right = (turn + child for child in children)
    found = landmarks(star((200.4, 199.7), 150, (turn + 180, 9), (left, 7), (right, 6)))
    fork = only(found, "bifurcation")
    # The lines of two children part where their walls do: an acute fork lies further out.
    assert np.hypot(fork.x_px - 200.4, fork.y_px - 199.7) < 12
    assert fork.angle_deg == pytest.approx(children[1] - children[0], abs=6)
    assert off_deg(fork.direction_deg, turn + 180) < 5
    assert fork.calibre_px == pytest.approx(9, abs=1)
    parent, *others = fork.branches
    assert off_deg(parent.direction_deg, turn + 180) < 5
    assert sorted(one.calibre_px for one in others) == pytest.approx([6, 7], abs=0.8)


@pytest.mark.parametrize("turn", [0, 45, 110, 260])
def test_the_widest_is_the_parent_where_the_angles_do_not_tell(turn):
    mask = star((200, 200), 150, (turn, 9), (turn + 120, 5), (turn + 240, 5))
    assert off_deg(only(landmarks(mask), "bifurcation").direction_deg, turn) < 5


@pytest.mark.parametrize("turn", range(0, 180, 20))
@pytest.mark.parametrize("angle", [40, 60, 90])
def test_a_crossing_of_known_angle(turn, angle):
    other = turn + angle
    mask = star((200.4, 199.7), 150, (turn, 8), (turn + 180, 8), (other, 5), (other + 180, 5))
    crossing = only(landmarks(mask), "crossing")
    assert crossing.angle_deg == pytest.approx(angle, abs=6)
    assert off_deg(crossing.direction_deg, turn, 180) < 5
    assert crossing.calibre_px == pytest.approx(6.5, abs=0.7)
    for first, second in (crossing.branches[::2], crossing.branches[1::2]):
        assert off_deg(first.direction_deg, second.direction_deg + 180) < 6
        assert first.calibre_px == pytest.approx(second.calibre_px, abs=0.8)


@pytest.mark.parametrize("angle", range(0, 360, 40))
def test_an_ending(angle):
    found = landmarks(draw((300, 300), (ray((150.3, 149.6), angle, 90), 5)))
    assert [one.kind for one in found] == ["ending", "ending"]
    near, far = sorted(found, key=lambda one: np.hypot(one.x_px - 150, one.y_px - 150))
    assert off_deg(near.direction_deg, angle) < 6
    assert off_deg(far.direction_deg, angle + 180) < 6
    assert (near.angle_deg, len(near.branches)) == (None, 1)
    assert near.calibre_px == pytest.approx(5, abs=1)


def test_nothing_has_no_landmarks():
    assert landmarks(np.zeros((50, 60), bool)) == []
