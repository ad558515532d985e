import tracemalloc

import numpy as np
import pytest

from edge_vessel.field_of_view import FieldOfView
from edge_vessel.sinks.overlay import VESSEL_RGB, fitted_overlay, overlay

BACKGROUNDS = {
    "dark rim": (30, 8, 4),
    "fundus": (160, 60, 20),
    "disc": (255, 235, 140),
    "red-free": (128, 128, 128),
}


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Relative luminance, WCAG 2.2."""
    linear = np.where(rgb <= 10.31, rgb / 3294.6, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    high, low = sorted((float(luminance(a)), float(luminance(b))), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=BACKGROUNDS.keys())
@pytest.mark.parametrize("width", [1, 2, 9])
def test_a_vessel_of_any_width_stands_out_from_what_surrounds_it(
    background: tuple[int, int, int], width: int
) -> None:
    image = np.full((60, 60, 3), background, np.uint8)
    mask = np.zeros((60, 60), np.bool_)
    mask[10:50, 20 : 20 + width] = True
    drawn = overlay(image, mask).astype(np.float64)
    edge, halo, far = drawn[30, 20], drawn[30, 19], drawn[30, 5]
    assert tuple(edge) == VESSEL_RGB
    # 3:1 is what WCAG 2.2 asks of graphics (criterion 1.4.11).
    assert contrast(edge, halo) >= 3
    assert tuple(far) == background


def test_a_thick_vessel_shows_the_photograph_beneath_it() -> None:
    image = np.full((60, 60, 3), (160, 60, 20), np.uint8)
    image[30, 30] = (250, 250, 250)
    mask = np.zeros((60, 60), np.bool_)
    mask[20:40, 20:40] = True
    drawn = overlay(image, mask)
    assert drawn[30, 30].astype(int).sum() > drawn[31, 31].astype(int).sum() + 60
    assert image[30, 31].tolist() == [160, 60, 20]


def test_the_circle_lies_where_the_field_of_view_ends() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    drawn = overlay(image, np.zeros((101, 101), np.bool_), FieldOfView(50.5, 50.5, 40.0))
    for line in (drawn[50, :50], drawn[50, :50:-1], drawn[:50, 50], drawn[:50:-1, 50]):
        assert line[:, 0].argmax() == 10
    assert not drawn[45:55, 45:55].any()


def test_a_large_photograph_needs_little_more_than_its_copy() -> None:
    image = np.full((3000, 4000, 3), (160, 60, 20), np.uint8)
    mask = np.zeros((3000, 4000), np.bool_)
    for row in range(0, 3000, 60):
        mask[row : row + 6] = True
    overlay(image, mask)
    tracemalloc.start()
    overlay(image, mask)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.2 * image.nbytes


def test_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in size"):
        overlay(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.bool_))


@pytest.mark.parametrize(
    ("height", "width", "fit", "expected"),
    [
        (1000, 1000, (200, 300), (200, 200)),
        (2336, 3504, (640, 480), (427, 640)),
        (50, 100, (400, 400), (200, 400)),
        (4, 2000, (100, 100), (1, 100)),
    ],
)
def test_it_fits_with_its_proportions(
    height: int, width: int, fit: tuple[int, int], expected: tuple[int, int]
) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    assert fitted_overlay(image, image[..., 0] > 0, *fit).shape == (*expected, 3)


@pytest.mark.parametrize("side", [900, 480, 200, 90])
def test_a_hair_survives_a_small_preview_wherever_it_falls(side: int) -> None:
    image = np.full((1000, 1000, 3), (160, 60, 20), np.uint8)
    for column in range(500, 512):
        mask = np.zeros((1000, 1000), np.bool_)
        mask[:, column] = True
        drawn = fitted_overlay(image, mask, side, side)
        cyan = (drawn == VESSEL_RGB).all(axis=2)
        assert cyan.any(axis=1).all()
        assert cyan.sum(axis=1).max() <= 2
