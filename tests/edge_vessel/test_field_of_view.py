"""The circle of the fundus, found or rightly not found."""

import tracemalloc

import cv2
import numpy as np
import pytest
from fundus_drawings import fundus, with_notch

from edge_vessel.field_of_view import FieldOfView, find_field_of_view
from edge_vessel.sources.images import read_image
from train.data import DATA_SETS
from train.data.dataset import load


@pytest.mark.parametrize(
    ("size", "circle", "brightness"),
    [
        pytest.param((584, 565), (282, 292, 270), 1.0, id="as DRIVE"),
        pytest.param((960, 999), (494, 478, 458), 1.0, id="as CHASE_DB1"),
        pytest.param((2336, 3504), (1766, 1164, 1630), 1.0, id="cropped at top and bottom"),
        pytest.param((300, 300), (150, 150, 140), 1.0, id="300 px"),
        pytest.param((4000, 4000), (2000, 2000, 1900), 1.0, id="4000 px"),
        pytest.param((800, 1200), (380, 430, 330), 1.0, id="off centre"),
        pytest.param((800, 800), (200, 400, 360), 1.0, id="cut off by the left edge"),
        pytest.param((800, 1400), (700, 400, 250), 1.0, id="small in a black frame"),
        pytest.param((800, 800), (400, 400, 370), 0.2, id="dark"),
        pytest.param((800, 800), (400, 400, 370), 2.5, id="overexposed"),
    ],
)
def test_drawn_circle_is_found(size, circle, brightness):
    found = find_field_of_view(fundus(*size, circle[:2], circle[2], brightness))
    assert found is not None
    tolerance = max(2.0, 0.02 * circle[2])
    assert found.centre_x == pytest.approx(circle[0], abs=tolerance)
    assert found.centre_y == pytest.approx(circle[1], abs=tolerance)
    assert found.radius == pytest.approx(circle[2], abs=tolerance)


def test_notch_does_not_move_the_circle():
    image = with_notch(fundus(584, 565, (282, 292), 270), (470, 95), 22)
    found = find_field_of_view(image)
    assert found is not None
    assert found.radius == pytest.approx(270, abs=5)


def test_eyelid_over_the_lower_third_does_not_move_the_circle():
    image = fundus(800, 800, (400, 400), 360)
    image[600:] = 4
    found = find_field_of_view(image)
    assert found is not None
    assert found.centre_y == pytest.approx(400, abs=8)
    assert found.radius == pytest.approx(360, abs=8)


def _framed(image: np.ndarray, rows: int, columns: int, grey: int = 0) -> np.ndarray:
    return cv2.copyMakeBorder(
        image, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=(grey,) * 3
    )


def _with_top(image: np.ndarray, share: float, colour: tuple[int, int, int]) -> np.ndarray:
    covered = image.copy()
    covered[: round(share * len(image))] = colour
    return covered


def _scaled(image: np.ndarray, *factors: float) -> np.ndarray:
    return np.clip(image * np.array(factors), 0, 255).astype(np.uint8)


def _with_reflex(image: np.ndarray) -> np.ndarray:
    spotted = image.copy()
    cv2.circle(spotted, (image.shape[1] // 2, image.shape[0] // 2), 12, (255,) * 3, cv2.FILLED)
    spotted[::97, ::89] = 255
    return spotted


ALTERATIONS = {
    "black frame of three times the size": lambda image: _framed(image, *image.shape[:2]),
    "white border": lambda image: _framed(image, 60, 60, 255),
    "dark lid over the top quarter": lambda image: _with_top(image, 0.25, (4, 4, 4)),
    "skin over the top fifth": lambda image: _with_top(image, 0.2, (190, 130, 105)),
    "cold white balance": lambda image: _scaled(image, 0.6, 1.0, 1.6),
    "dark, with a reflex and hot pixels": lambda image: _with_reflex(_scaled(image, 0.4)),
    "overexposed": lambda image: _scaled(image, 2.2),
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 0.01 * image.shape[1]),
}


def _largest_error(found: FieldOfView, image: np.ndarray, altered: np.ndarray, expected) -> float:
    """Of centre and radius, in radii; the alterations frame an image, but never move it."""
    dx = (altered.shape[1] - image.shape[1]) / 2
    dy = (altered.shape[0] - image.shape[0]) / 2
    errors = (
        found.centre_x - dx - expected.centre_x,
        found.centre_y - dy - expected.centre_y,
        found.radius - expected.radius,
    )
    return max(map(abs, errors)) / expected.radius


@pytest.mark.parametrize("name", ALTERATIONS)
@pytest.mark.parametrize(
    ("size", "circle"),
    [
        pytest.param((584, 565), FieldOfView(282, 292, 270), id="whole"),
        pytest.param((584, 876), FieldOfView(441, 291, 407), id="cropped at top and bottom"),
    ],
)
def test_altered_drawing_is_found(name, size, circle):
    image = fundus(*size, (circle.centre_x, circle.centre_y), circle.radius)
    altered = ALTERATIONS[name](image)
    found = find_field_of_view(altered)
    assert found is not None
    assert _largest_error(found, image, altered, circle) < 0.02


@pytest.mark.data
@pytest.mark.parametrize("name", ALTERATIONS)
@pytest.mark.parametrize("dataset", sorted(DATA_SETS))
def test_altered_photograph_is_found(dataset, name, data):
    for record in DATA_SETS[dataset].records(data, "test")[:2]:
        image = read_image(record.image)
        expected = find_field_of_view(image)
        altered = ALTERATIONS[name](image)
        found = find_field_of_view(altered)
        assert found is not None, record.id
        assert _largest_error(found, image, altered, expected) < 0.02, record.id


def test_corner_of_a_photograph_cropped_at_top_and_bottom_is_found():
    image = fundus(584, 876, (441, 291), 407)[175:, 262:]
    found = find_field_of_view(image)
    assert found is not None
    assert found.radius == pytest.approx(407, rel=0.03)


def _no_fundus(name: str) -> np.ndarray:
    random = np.random.default_rng(1)
    black = np.zeros((600, 800, 3), np.uint8)
    if name == "white":
        return black + 255
    if name == "noise":
        return random.integers(0, 256, black.shape, np.uint8)
    if name == "1x1":
        return np.full((1, 1, 3), 200, np.uint8)
    if name == "text":
        for row in range(40, 600, 60):
            cv2.putText(black, "retinal vessels 0123", (10, row), 0, 1.6, (255, 255, 255), 3)
    if name == "red rectangle":
        black[100:500, 150:650] = (200, 90, 50)
    if name == "blue disc":
        cv2.circle(black, (400, 300), 250, (40, 90, 200), cv2.FILLED)
    if name == "gradient":
        return np.tile(np.linspace(0, 255, 800).astype(np.uint8)[None, :, None], (600, 1, 3))
    if name == "sensor noise in the dark":
        return np.clip(random.normal(3, 2, black.shape), 0, 255).astype(np.uint8)
    return black


@pytest.mark.parametrize(
    "name",
    [
        "black",
        "white",
        "noise",
        "1x1",
        "text",
        "red rectangle",
        "blue disc",
        "gradient",
        "sensor noise in the dark",
    ],
)
def test_no_fundus_is_none(name):
    assert find_field_of_view(_no_fundus(name)) is None


@pytest.mark.parametrize(
    ("colour", "blur", "noise"),
    [
        pytest.param((220, 120, 40), 0.1, 2, id="lens cap"),
        pytest.param((220, 120, 40), 12, 2, id="lens cap out of focus"),
        pytest.param((220, 120, 40), 0.1, 15, id="lens cap in sensor noise"),
        pytest.param((255, 200, 140), 12, 2, id="lamp"),
    ],
)
def test_disc_without_texture_is_none(colour, blur, noise):
    drawn = cv2.circle(np.zeros((600, 800, 3), np.uint8), (400, 300), 250, colour, cv2.FILLED)
    drawn = cv2.GaussianBlur(drawn, (0, 0), blur)
    seen = drawn + np.random.default_rng(1).normal(3, noise, drawn.shape)
    assert find_field_of_view(np.clip(seen, 0, 255).astype(np.uint8)) is None


@pytest.mark.parametrize(
    ("axes", "step"),
    [
        pytest.param((300, 230), 1, id="ellipse"),
        pytest.param((250, 250), 60, id="hexagon"),
        pytest.param((250, 250), 90, id="square"),
    ],
)
def test_textured_shape_that_is_no_circle_is_none(axes, step):
    drawn = np.zeros((600, 800, 3), np.uint8)
    outline = cv2.ellipse2Poly((400, 300), axes, 0, 0, 360, step)
    cv2.fillPoly(drawn, [outline], (200, 90, 50))
    patches = np.random.default_rng(1).uniform(0.7, 1.0, (60, 80, 1)).repeat(10, 0).repeat(10, 1)
    assert find_field_of_view((drawn * patches).astype(np.uint8)) is None


@pytest.mark.parametrize(
    ("height", "width"), [(70_000, 100), (1_010_000, 100), (100, 1_010_000), (0, 0), (96, 6_000)]
)
def test_ribbon_is_none(height, width):
    assert find_field_of_view(np.full((height, width, 3), 90, np.uint8)) is None


@pytest.mark.parametrize("circle", [(30.2, 21.7, 18.3), (-3.0, 50.0, 30.5), (20.0, 20.0, 200.0)])
def test_mask_is_the_test_of_every_pixel_centre(circle):
    y, x = np.mgrid[:60, :70] + 0.5
    expected = np.hypot(x - circle[0], y - circle[1]) <= circle[2]
    assert (FieldOfView(*circle).mask(60, 70) == expected).all()


def test_mask_takes_hardly_more_memory_than_its_result():
    tracemalloc.start()
    FieldOfView(2000, 2000, 1900).mask(4000, 4000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.1 * 4000 * 4000


def test_red_free_photograph_is_a_fundus():
    grey = cv2.cvtColor(fundus(800, 800, (400, 400), 370), cv2.COLOR_RGB2GRAY)
    assert find_field_of_view(np.repeat(grey[..., None], 3, axis=2)) is not None


def test_mask_counts_pixel_centres():
    mask = FieldOfView(2.0, 2.0, 1.0).mask(4, 4)
    assert mask.tolist() == [
        [False] * 4,
        [False, True, True, False],
        [False, True, True, False],
        [False] * 4,
    ]


def test_samples_have_one(samples):
    for path in sorted(samples.glob("*.jpg")):
        assert find_field_of_view(read_image(path)) is not None, path


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_agrees_with_the_published_masks(name, data):
    dataset = DATA_SETS[name]
    for record in dataset.records(data, "test")[:10]:
        sample = load(record)
        found = find_field_of_view(sample.image)
        assert found is not None, record.id
        mask = found.mask(*sample.fov.shape)
        overlap = (mask & sample.fov).sum() / (mask | sample.fov).sum()
        assert overlap > 0.98, (record.id, overlap)
