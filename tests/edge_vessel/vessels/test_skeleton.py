"""Thinning keeps the topology, which scikit-image counts, and the ends."""

import numpy as np
import pytest
from skimage.measure import euler_number, label
from vessel_drawings import draw, ray

from edge_vessel.vessels.skeleton import skeletonise, without_specks


@pytest.mark.parametrize("seed", range(40))
def test_topology_of_random_masks_stays(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 40, 2)) < rng.uniform(0.1, 0.95)
    skeleton = skeletonise(mask)
    assert not (skeleton & ~mask).any()
    assert euler_number(skeleton, 2) == euler_number(mask, 2)
    assert label(skeleton, connectivity=2).max() == label(mask, connectivity=2).max()
    assert (skeletonise(skeleton) == skeleton).all()


@pytest.mark.parametrize("angle", range(0, 180, 15))
@pytest.mark.parametrize("width", [1.5, 2, 4, 9])
def test_a_stroke_becomes_its_centre_line(angle, width):
    points = ray((100, 100), angle, 80)
    skeleton = skeletonise(draw((200, 200), (points, width)))
    rows, columns = np.nonzero(skeleton)
    direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    offset = np.stack([columns - 99.5, rows - 99.5], axis=1)
    along = offset @ direction
    away = np.abs(offset[:, 0] * direction[1] - offset[:, 1] * direction[0])
    inside = (along > width) & (along < 80 - width)
    assert away[inside].max() <= 1.01
    assert np.ptp(along) >= 80 - width - 3


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((5, 7), bool),
        np.zeros((1, 1), bool),
        np.ones((1, 1), bool),
        np.zeros((0, 4), bool),
    ],
    ids=["empty", "one pixel, empty", "one pixel, full", "no pixel"],
)
def test_nothing_to_thin(mask):
    assert (skeletonise(mask) == mask).all()
    assert without_specks(mask).sum() == 0


def test_a_full_frame_thins_to_a_line_without_a_hole():
    skeleton = skeletonise(np.ones((30, 50), bool))
    assert 0 < skeleton.sum() < 100
    assert euler_number(skeleton, 2) == 1


def test_pinholes_close_dots_go_and_loops_stay():
    mask = draw((100, 100), ([(10, 20), (90, 20)], 9), ([(10, 80), (90, 80)], 9),
                ([(14, 16), (14, 84)], 9), ([(86, 16), (86, 84)], 9))  # fmt: skip
    mask[20, 30:34] = False
    assert euler_number(mask, 2) == -1
    filled = without_specks(mask)
    assert euler_number(filled, 2) == 0
    assert (filled & ~mask).sum() == 4
    mask[50, 50:54] = True
    assert (without_specks(mask) == filled).all()


def test_noise_is_dots():
    vessel = draw((300, 300), ([(10, 150), (290, 150)], 9))
    noise = np.random.default_rng(0).random((300, 300)) < 0.01
    left = without_specks(vessel | noise) & noise & ~vessel
    assert left.sum() < 0.1 * noise.sum()
