"""A drawn graph is found again however it lies, and another is not."""

import numpy as np
import pytest

from edge_vessel.biometrics.graph_matching import LaidGraph
from edge_vessel.field_of_view import FieldOfView
from edge_vessel.vessels import Edge, Node, VesselGraph

FOV = FieldOfView(500.0, 500.0, 400.0)


def drawn(seed: int, turn_deg: float = 0.0, scale: float = 1.0, shift: complex = 0j) -> VesselGraph:
    """Sixty nodes, each joined to the nearest of those before it."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(-0.4, 0.4, 60) + 1j * rng.uniform(-0.4, 0.4, 60)
    ends = [(int(np.abs(places[:one] - places[one]).argmin()), one) for one in range(1, 60)]
    seen = 800 * (scale * np.exp(1j * np.radians(turn_deg)) * places + shift) + 500 * (1 + 1j)
    nodes = tuple(Node("bifurcation", one.real, one.imag, ()) for one in seen.tolist())
    return VesselGraph(nodes, tuple(Edge(*one, np.zeros((2, 2)), np.ones(2)) for one in ends))


@pytest.mark.parametrize(
    ("turn_deg", "scale", "shift"),
    [(0, 1, 0), (30, 1, 0), (-30, 0.8, 0.1), (12, 1.25, -0.2j), (-5, 1, 0.25 + 0.2j)],
)
def test_one_eye_in_any_pose(turn_deg: float, scale: float, shift: complex) -> None:
    original, again = (LaidGraph(one, FOV) for one in (drawn(1), drawn(1, turn_deg, scale, shift)))
    assert again.similarity(original) == pytest.approx(1)
    assert original.similarity(again) == pytest.approx(1)


def test_other_eyes() -> None:
    graphs = [LaidGraph(drawn(seed), FOV) for seed in range(6)]
    others = [one.similarity(two) for one in graphs for two in graphs if one is not two]
    assert max(others) < 0.4


def test_outside_the_poses_that_a_kiosk_sees_nothing_is_common() -> None:
    assert LaidGraph(drawn(1, 90), FOV).similarity(LaidGraph(drawn(1), FOV)) < 0.4


def test_without_an_edge_nothing_is_common() -> None:
    nothing = LaidGraph(VesselGraph((), ()), FOV)
    ends = (Node("cut", 400.0, 500.0, (0,)), Node("ending", 600.0, 500.0, (0,)))
    cut = LaidGraph(VesselGraph(ends, (Edge(0, 1, np.zeros((2, 2)), np.ones(2)),)), FOV)
    assert (len(cut.nodes), len(cut.edges)) == (1, 0)
    for one in (nothing, cut):
        assert one.similarity(LaidGraph(drawn(1), FOV)) == 0
        assert LaidGraph(drawn(1), FOV).similarity(one) == 0


def test_edges_too_short_to_give_a_pose() -> None:
    tiny = LaidGraph(drawn(1, scale=0.01), FOV)
    assert tiny.similarity(LaidGraph(drawn(1), FOV)) == 0
