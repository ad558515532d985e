"""Into the network's square and back to the camera's pixels."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_vessel.preprocessing import OFFSET, SCALE, Crop, FieldOfView, normalise

SIZE = 544


def test_normalise_spans_minus_one_to_one():
    image = np.array([[[0, 127, 255]]], np.uint8)
    planar = normalise(image)
    assert planar.shape == (3, 1, 1)
    assert planar.dtype == np.float32
    assert planar.ravel() == pytest.approx([-1.0, 127 * SCALE + OFFSET, 1.0], abs=1e-6)


def _centroid(weights: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(weights.shape)
    return float(np.average(rows, weights=weights)), float(np.average(columns, weights=weights))


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(300, 1600),
    width=st.integers(300, 1600),
    x=st.floats(0.3, 0.7),
    y=st.floats(0.3, 0.7),
    share=st.floats(0.3, 0.7),
    seed=st.integers(0, 2**16),
)
def test_a_mask_drawn_in_camera_pixels_survives_the_round_trip(height, width, x, y, share, seed):
    fov = FieldOfView(x * width, y * height, share * min(height, width))
    crop = Crop.around(fov, height, width, SIZE, SIZE)
    inside = fov.mask(height, width)
    drawn = np.zeros((height, width, 3), np.uint8)
    random = np.random.default_rng(seed)
    thickness = max(3, round(3.5 * crop.scale))
    for _ in range(6):
        angle, reach = random.uniform(0, 2 * np.pi), random.uniform(0.3, 0.9) * fov.radius
        end = (fov.centre_x + reach * np.cos(angle), fov.centre_y + reach * np.sin(angle))
        start = (round(fov.centre_x), round(fov.centre_y))
        cv2.line(drawn, start, (round(end[0]), round(end[1])), (255, 255, 255), thickness)
    mask = (drawn[..., 0] > 0) & inside
    seen = crop.to_network(mask[..., None].repeat(3, axis=2).astype(np.uint8) * 255)
    values = crop.to_camera(seen[..., 0].astype(np.float32) / 255)
    back = values >= 0.5
    assert back.shape == (height, width)
    dice = 2 * (mask & back).sum() / max(1, mask.sum() + back.sum())
    assert dice > 0.9
    # Nothing is lost on one side; the discs below test for shifts of a hundredth of a pixel.
    tolerance = 0.5 * max(1.0, crop.scale)
    assert _centroid(mask) == pytest.approx(_centroid(values), abs=tolerance)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(500, 700),
    width=st.integers(500, 700),
    x=st.integers(200, 400),
    y=st.integers(200, 400),
    radius=st.floats(262.0, 272.0),
)
def test_at_the_networks_own_scale_the_way_back_is_exact(height, width, x, y, radius):
    crop = Crop.around(FieldOfView(x, y, radius), height, width, SIZE, SIZE)
    assert (crop.height, crop.width) == (SIZE, SIZE)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    back = crop.to_camera(crop.to_network(image)[..., 0].astype(np.float32))
    rows = slice(max(crop.top, 0), min(crop.top + SIZE, height))
    columns = slice(max(crop.left, 0), min(crop.left + SIZE, width))
    assert (back[rows, columns] == image[rows, columns, 0]).all()
    outside = np.ones((height, width), bool)
    outside[rows, columns] = False
    assert (back[outside] == 0).all()


def test_square_over_the_frames_edge_is_black_there():
    image = np.full((400, 300, 3), 200, np.uint8)
    crop = Crop.around(FieldOfView(150, 200, 250), 400, 300, SIZE, SIZE)
    seen = crop.to_network(image)
    assert seen.shape == (SIZE, SIZE, 3)
    assert seen[0, 0].tolist() == [0, 0, 0]
    assert seen[SIZE // 2, SIZE // 2].tolist() == [200, 200, 200]


@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_a_disc_in_the_middle_comes_back_in_the_middle(ratio):
    side = ratio * SIZE
    crop = Crop(side, side, 0, 0, side, side, SIZE, SIZE)
    disc = np.zeros((side, side, 3), np.uint8)
    cv2.circle(disc, (side // 4, side // 3), 40 * ratio, (255, 255, 255), cv2.FILLED)
    back = crop.to_camera(crop.to_network(disc)[..., 0].astype(np.float32))
    assert _centroid(back) == pytest.approx(_centroid(disc[..., 0]), abs=0.02)


# Of HRF, 2336x3504: the frame cuts the circle off above and below.
CUT_OFF = FieldOfView(1760.3, 1165.8, 1640.0)


def test_a_network_of_the_frames_size_sees_the_frame_as_it_is():
    crop = Crop.around(CUT_OFF, 2336, 3504, 2336, 3504)
    assert (crop.left, crop.top, crop.height, crop.width) == (0, 0, 2336, 3504)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(300, 900),
    width=st.integers(300, 900),
    x=st.floats(0.3, 0.7),
    y=st.floats(0.3, 0.7),
    share=st.floats(0.3, 1.0),
    out=st.sampled_from([(320, 480), (480, 320), (96, 960)]),
)
def test_a_rectangle_holds_all_that_the_frame_shows_of_the_circle(height, width, x, y, share, out):
    fov = FieldOfView(x * width, y * height, share * min(height, width))
    crop = Crop.around(fov, height, width, *out)
    assert crop.height / crop.width == pytest.approx(out[0] / out[1], rel=0.02)
    inside = fov.mask(height, width)
    seen = np.zeros_like(inside)
    seen[max(crop.top, 0) : crop.top + crop.height, max(crop.left, 0) : crop.left + crop.width] = (
        True
    )
    assert (inside & ~seen).sum() <= 0.01 * inside.sum()
    values = crop.to_network(np.repeat(inside[..., None], 3, 2).astype(np.uint8) * 255)
    assert values.shape == (*out, 3)
    assert crop.to_camera(values[..., 0].astype(np.float32)).shape == (height, width)
