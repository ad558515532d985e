"""Biomarkers of figures whose values are known."""

from dataclasses import asdict

import numpy as np
import pytest
from vessel_drawings import draw, star

from edge_vessel.vessels.analysis import analyse
from edge_vessel.vessels.field import Field
from edge_vessel.vessels.fractal import box_counting_dimension
from edge_vessel.vessels.tortuosity import (
    distance_measure,
    inflection_count_metric,
    inflections,
)


def carpet(order: int) -> np.ndarray:
    """Sierpinski's: dimension log 8 / log 3."""
    figure = np.ones((1, 1), bool)
    for _ in range(order):
        figure = np.kron(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool), figure)
    return figure


def triangle(order: int) -> np.ndarray:
    """Sierpinski's: dimension log 3 / log 2."""
    side = np.arange(2**order)
    return (side[:, None] & side[None]) == 0


@pytest.mark.parametrize(
    ("figure", "dimension", "tolerance"),
    [
        (np.eye(500, dtype=bool), 1, 0.03),
        (draw((500, 500), ([(0, 250), (500, 250)], 1)), 1, 0.03),
        (draw((500, 500), ([(0, 60), (500, 300)], 1)), 1, 0.05),
        (np.ones((500, 500), bool), 2, 0.03),
        (carpet(6), np.log(8) / np.log(3), 0.05),
        (triangle(9), np.log(3) / np.log(2), 0.07),
    ],
    ids=["diagonal", "line", "oblique", "square", "carpet", "triangle"],
)
def test_fractal_dimension(figure, dimension, tolerance):
    found = box_counting_dimension(figure, figure.shape[0])
    assert found == pytest.approx(dimension, abs=tolerance)
    moved = np.pad(figure, ((13, 0), (7, 0)))
    assert box_counting_dimension(moved, figure.shape[0]) == found


@pytest.mark.parametrize("figure", [np.zeros((300, 300), bool), np.ones((6, 6), bool)])
def test_no_dimension_of_nothing_or_of_a_speck(figure):
    assert box_counting_dimension(figure, figure.shape[0]) is None


def sine(periods: float, amplitude: float, length: float = 400.0) -> np.ndarray:
    x = np.linspace(0, length, 4001)
    return np.stack([x, amplitude * np.sin(2 * np.pi * periods * x / length)], axis=1)


def arc(degrees: float, radius: float = 100.0) -> np.ndarray:
    angle = np.radians(np.linspace(0, degrees, 1001))
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


CURVES = {
    "straight": (sine(1, 0), 1.0, 0),
    "half a circle": (arc(180), np.pi / 2, 0),
    "a quarter": (arc(90), np.pi / 2 / np.sqrt(2), 0),
    # Arc length of y = A sin(kx) over whole periods: 2/pi sqrt(1+A²k²) E(A²k²/(1+A²k²)) per unit.
    "one period, A k = 1": (sine(1, 400 / (2 * np.pi)), 1.216007, 1),
    "three periods, A k = 1": (sine(3, 400 / (6 * np.pi)), 1.216007, 5),
    "half a period": (sine(0.5, 400 / np.pi), 1.216007, 0),
    "S of two half circles": (
        np.concatenate([arc(180), arc(180) * [1, -1] - [200, 0]]),
        np.pi / 2,
        1,
    ),
}


@pytest.mark.parametrize(("curve", "distance", "turns"), CURVES.values(), ids=CURVES)
def test_tortuosity_of_known_curves(curve, distance, turns):
    assert distance_measure(curve) == pytest.approx(distance, rel=1e-3)
    assert inflections(curve, 8.0) == turns
    assert inflection_count_metric(curve, 8.0) == pytest.approx(distance * (1 + turns), rel=1e-3)


def test_pixel_noise_is_no_inflection_and_a_closed_path_has_no_tortuosity():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (401, 2))
    line = np.stack([np.arange(401.0), np.zeros(401)], axis=1) + noise
    assert inflections(line, 12.0) == 0
    assert distance_measure(arc(360)) is None
    assert inflection_count_metric(arc(360), 8.0) is None


@pytest.mark.parametrize("width", [3, 6, 10])
def test_a_drawn_sine(width):
    path = [(x + 50, y + 120) for x, y in sine(2, 30)[::40]]
    mask = draw((240, 500), (path, width))
    found = analyse(mask, Field.of_frame(*mask.shape)).biomarkers
    expected = distance_measure(sine(2, 30))
    assert found.tortuosity_distance == pytest.approx(expected, rel=0.02)
    assert found.tortuosity_inflection == pytest.approx(4 * expected, rel=0.02)
    assert found.mean_calibre_px == pytest.approx(width, abs=0.3)
    assert found.vessel_length_px == pytest.approx(400 * expected, abs=width + 5)


def test_all_figures_of_a_drawn_fork():
    mask = star((200, 200), 150, (180, 9), (-35, 7), (35, 7))
    field = Field(np.hypot(*(np.mgrid[:400, :400] + 0.5 - 200)) < 190, 380.0)
    found = analyse(mask, field).biomarkers
    assert found.vessel_density == pytest.approx(mask.sum() / field.lit.sum())
    assert found.vessel_length_px == pytest.approx(450, abs=20)
    assert found.vessel_length_fov == pytest.approx(found.vessel_length_px / 380)
    assert found.mean_calibre_px == pytest.approx((9 + 7 + 7) / 3, abs=0.4)
    assert found.mean_calibre_fov == pytest.approx(found.mean_calibre_px / 380)
    assert found.branching_angle_deg == pytest.approx(70, abs=5)
    assert found.tortuosity_distance == pytest.approx(1, abs=0.01)
    assert found.tortuosity_inflection == pytest.approx(1, abs=0.01)
    assert 0.9 < found.fractal_dimension < 1.25
    assert (found.bifurcations, found.crossings, found.endings) == (1, 0, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (300, 200)])
def test_an_empty_mask_has_counts_and_no_figures(shape):
    found = asdict(analyse(np.zeros(shape, bool), Field.of_frame(*shape)).biomarkers)
    values = set(found.values())
    assert values == {0, None}
    assert found["vessel_density"] == 0


def test_twice_the_resolution_gives_the_same_figures_in_diameters():
    small = star((200, 200), 150, (180, 9), (-35, 7), (35, 7))
    large = np.kron(small, np.ones((2, 2), bool))
    first, second = (
        asdict(analyse(mask, Field.of_frame(*mask.shape)).biomarkers) for mask in (small, large)
    )
    for name in first:
        if not name.endswith("_px"):
            assert second[name] == pytest.approx(first[name], rel=0.05), name
