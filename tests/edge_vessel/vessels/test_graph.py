"""Graphs of drawn vessels whose nodes, lengths and calibres are known."""

from collections import Counter

import numpy as np
import pytest
from vessel_drawings import draw, ray, star

from edge_vessel.field_of_view import FieldOfView
from edge_vessel.vessels.field import Field
from edge_vessel.vessels.graph import VesselGraph, vessel_graph


def graph_of(mask) -> VesselGraph:
    return vessel_graph(mask, Field.of_frame(*mask.shape))


def kinds(graph: VesselGraph) -> Counter[str]:
    return Counter(node.kind for node in graph.nodes)


@pytest.mark.parametrize("angle", [0, 10, 22.5, 30, 45, 60, 90, 120])
@pytest.mark.parametrize("width", [2, 3, 4, 5.5, 8, 15])
def test_calibre_and_length_of_a_line_at_any_angle(angle, width):
    edges = []
    for shift in np.linspace(0, 1, 6, endpoint=False):
        points = ray((130.13 + shift, 130.29 - 2 * shift), angle, 100)
        (edge,) = graph_of(draw((260, 260), (points, width))).edges
        assert edge.calibre_px.shape == edge.points_px.shape[:1]
        edges.append(edge)
    # A single line is drawn up to a pixel wider or narrower than it is.
    calibres = [edge.mean_calibre_px for edge in edges]
    assert calibres == pytest.approx([width] * 6, abs=1.01)
    assert np.mean(calibres) == pytest.approx(width, abs=0.25)
    lengths = [edge.length_px for edge in edges]
    assert 100 - width - 3 < min(lengths) <= max(lengths) < 101


def test_a_vessel_that_narrows():
    rows = np.arange(300)[:, None] + 0.5
    columns = np.arange(100)[None] + 0.5
    mask = (abs(columns - 50.3) <= (12 - rows / 30) / 2) & (rows > 20) & (rows < 280)
    (edge,) = graph_of(mask).edges
    y = edge.points_px[:, 1]
    inner = (y > 40) & (y < 260)
    assert np.abs(edge.calibre_px - (12 - y / 30))[inner].max() < 0.8


CASES = {
    "nothing": (np.zeros((40, 40), bool), {}),
    "one pixel of one": (np.ones((1, 1), bool), {}),
    "one pixel": (draw((40, 40), ([(20, 20), (21, 20)], 1)), {}),
    "blob": (np.hypot(*np.mgrid[-50:50, -50:50]) < 15, {}),
    "line": (draw((200, 200), (ray((50, 50), 30, 100), 5)), {"ending": 2}),
    "line of one pixel": (draw((200, 200), (ray((50, 50), 30, 100), 1.5)), {"ending": 2}),
    "Y": (star((200, 200), 120, (180, 9), (-35, 7), (40, 6)), {"bifurcation": 1, "ending": 3}),
    "T": (star((200, 200), 120, (180, 9), (0, 9), (90, 3)), {"bifurcation": 1, "ending": 3}),
    "trifurcation": (
        star((200, 200), 120, (180, 8), (50, 6), (-50, 6), (0, 6)),
        {"bifurcation": 1, "ending": 4},
    ),
    "ring": (
        abs(np.hypot(*np.mgrid[-100:100, -100:100]) - 60) < 3,
        {"ring": 1},
    ),
    "ring with a tail": (
        (abs(np.hypot(*(np.mgrid[:200, :200] + 0.5 - 100)) - 50) < 3)
        | draw((200, 200), ([(150, 100), (185, 100)], 5)),
        {"bifurcation": 1, "ending": 1},
    ),
    "X of four branches": (
        star((200, 200), 120, (45, 6), (135, 6), (225, 6), (315, 6)),
        {"crossing": 1, "ending": 4},
    ),
    "bump on the wall": (
        draw((200, 200), ([(30, 100), (170, 100)], 10), ([(100, 100), (100, 109)], 3)),
        {"ending": 2},
    ),
    "gap": (
        draw((200, 200), ([(30, 100), (95, 100)], 5), ([(105, 101), (170, 102)], 5)),
        {"ending": 2},
    ),
    "gap too wide": (
        draw((200, 200), ([(30, 100), (70, 100)], 5), ([(105, 100), (170, 100)], 5)),
        {"ending": 4},
    ),
    "ends that pass each other": (
        draw((200, 200), ([(30, 90), (105, 90)], 5), ([(95, 110), (170, 110)], 5)),
        {"ending": 4},
    ),
    "ends at a right angle": (
        draw((200, 200), ([(30, 100), (95, 100)], 5), ([(100, 106), (100, 170)], 5)),
        {"ending": 4},
    ),
    "vessel and speck": (
        draw((200, 200), (ray((50, 50), 30, 100), 5), ([(150, 30), (156, 30)], 3)),
        {"ending": 2},
    ),
    "cut by the frame": (
        draw((200, 200), ([(-5, 60), (100, 100)], 5)),
        {"ending": 1, "cut": 1},
    ),
}


@pytest.mark.parametrize(("mask", "expected"), CASES.values(), ids=CASES)
def test_nodes(mask, expected):
    graph = graph_of(mask)
    assert kinds(graph) == expected
    for index, node in enumerate(graph.nodes):
        assert all(index in (graph.edges[e].start, graph.edges[e].end) for e in node.edges)
    degrees = Counter(end for edge in graph.edges for end in (edge.start, edge.end))
    assert degrees == {index: len(node.edges) for index, node in enumerate(graph.nodes)}


@pytest.mark.parametrize("angle", [30, 40, 55, 70, 90])
@pytest.mark.parametrize("turn", [0, 17, 63])
@pytest.mark.parametrize(("first", "second"), [(5, 5), (9, 4), (12, 10), (2, 2)])
def test_two_lines_cross_once(angle, turn, first, second):
    both = [
        (turn, first),
        (turn + 180, first),
        (turn + angle, second),
        (turn + angle + 180, second),
    ]
    graph = graph_of(star((200.3, 199.8), 150, *both))
    assert kinds(graph) == {"crossing": 1, "ending": 4}
    (node,) = [node for node in graph.nodes if node.kind == "crossing"]
    assert np.hypot(node.x_px - 200.3, node.y_px - 199.8) < 2.5


@pytest.mark.parametrize(
    "strokes",
    [
        # Branches that leave a trunk at one place, one to either side, both forward.
        [(180, 8), (0, 8), (50, 4), (-50, 4)],
        # And both at a right angle to it, but one much the wider.
        [(180, 8), (0, 8), (90, 9), (-90, 3)],
    ],
)
def test_side_branches_are_no_crossing(strokes):
    found = kinds(graph_of(star((200, 200), 150, *strokes)))
    assert found["crossing"] == 0
    assert found["bifurcation"] in (1, 2)


def test_bifurcations_apart_stay_two():
    mask = draw(
        (400, 400),
        ([(50, 200), (350, 200)], 6),
        (ray((180, 200), -60, 120), 4),
        (ray((220, 200), 60, 120), 4),
    )
    assert kinds(graph_of(mask)) == {"bifurcation": 2, "ending": 4}


def test_touching_parallel_vessels_do_not_cross():
    upper = [(50, 178), (180, 196), (220, 196), (350, 178)]
    lower = [(50, 222), (180, 204), (220, 204), (350, 222)]
    assert kinds(graph_of(draw((400, 400), (upper, 9), (lower, 9))))["crossing"] == 0


def test_where_the_field_of_view_cuts_a_vessel_is_no_ending():
    mask = draw((400, 400), ([(20, 200), (300, 200)], 6))
    fov = FieldOfView(200, 200, 150)
    field = Field.of_circle(fov, 400, 400)
    graph = vessel_graph(mask & field.lit, field)
    assert kinds(graph) == {"cut": 1, "ending": 1}
    (ending,) = [node for node in graph.nodes if node.kind == "ending"]
    assert ending.x_px == pytest.approx(300, abs=4)


def test_a_circle_that_the_camera_cuts_off_above():
    fov = FieldOfView(200, 200, 180)
    image = np.zeros((400, 400, 3), np.uint8)
    image[fov.mask(400, 400)] = (150, 70, 30)
    image[:80] = 0
    image[250:260, 180:190] = 5  # a dark spot is a part of the fundus
    field = Field.of(image, fov)
    expected = fov.mask(400, 400)
    expected[:80] = False
    assert (field.lit != expected).mean() < 0.005
    assert field.lit[255, 185]
    mask = draw((400, 400), ([(200, 82), (200, 300)], 6))
    assert kinds(vessel_graph(mask, field)) == {"cut": 1, "ending": 1}


@pytest.mark.parametrize("level", [0, 160])
def test_surroundings_that_tell_nothing_leave_the_circle(level):
    fov = FieldOfView(40, 30, 25)
    field = Field.of(np.full((60, 80, 3), level, np.uint8), fov)
    assert (field.lit == fov.mask(60, 80)).all()
