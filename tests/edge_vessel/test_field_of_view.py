"""The circle of the fundus, found or rightly not found."""

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
