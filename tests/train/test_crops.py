"""Crops land where and as large as they are asked for."""

import numpy as np
import pytest
import torch

from edge_vessel.errors import UsageError
from edge_vessel.sources.images import read_image
from train.crops import CropOptions, Photograph, RandomCrops
from train.data.dataset import Sample
from train.sampler import EpochShuffle


@pytest.fixture(scope="module")
def photograph(samples) -> Sample:
    """A real photograph with a label of its brightest green: what matters is that both move."""
    image = read_image(sorted(samples.glob("*.jpg"))[0])
    return Sample("s", image, image[..., 1] > 120, np.ones(image.shape[:2], bool))


def test_an_unscaled_unturned_cut_is_the_photograph_itself(photograph):
    one = Photograph(photograph, smallest=0.3)
    height, width = photograph.label.shape
    top, left, size = height // 3, width // 3, 128
    cut = one.cut(1.0, 0.0, False, (left + size / 2, top + size / 2), size)
    expected = photograph.image[top : top + size, left : left + size]
    assert np.array_equal(cut[..., :3], expected)
    assert np.array_equal(cut[..., 3] > 127, photograph.label[top : top + size, left : left + size])


@pytest.mark.parametrize("scale", [0.4, 0.7, 1.0, 1.7])
def test_the_field_of_view_gets_the_diameter_asked_for(photograph, scale):
    one = Photograph(photograph, smallest=0.3)
    size = 32 * round(one.diameter_px * scale * 1.2 / 32)
    cut = one.cut(scale, 0.3, True, one.centre, size)
    again = Photograph(
        Sample("c", cut[..., :3].copy(), cut[..., 3] > 127, np.ones((size, size), bool)), 1.0
    )
    assert again.diameter_px == pytest.approx(one.diameter_px * scale, rel=0.02)
    assert again.centre == pytest.approx((size / 2, size / 2), abs=0.02 * size)


def test_a_small_scale_reads_a_small_level_and_no_pixel_is_skipped(photograph):
    one = Photograph(photograph, smallest=0.2)
    assert len(one.levels) > 3
    heights = [level.shape[0] for level in one.levels]
    assert heights == sorted(heights, reverse=True)
    half = one.cut(0.5, 0.0, False, one.centre, 128)
    whole = one.cut(1.0, 0.0, False, one.centre, 256)[..., :3].astype(float)
    mean = whole.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    assert np.abs(half[..., :3] - mean).mean() < 2.0


def test_an_item_depends_on_seed_and_number_alone(photograph):
    options = CropOptions(size_px=64, count=10, fov_diameter_px=(200, 600), camera=1.0)
    first, second, other = (RandomCrops([[photograph]], options, seed) for seed in (1, 1, 2))
    image, label = first[7]
    assert image.shape == (3, 64, 64)
    assert label.shape == (1, 64, 64)
    assert image.dtype == label.dtype == torch.uint8
    second[3]
    assert torch.equal(image, second[7][0])
    assert not torch.equal(image, other[7][0])
    assert not torch.equal(image, first[17][0]), "the next epoch sees another crop"


def test_each_data_set_is_drawn_as_often_as_the_others(photograph):
    dark = Sample("d", photograph.image, np.zeros_like(photograph.label), photograph.fov)
    bright = Sample("b", photograph.image, np.ones_like(photograph.label), photograph.fov)
    crops = RandomCrops([[dark] * 9, [bright]], CropOptions(size_px=32, count=200), 0)
    share = np.mean([float(crops[i][1].float().mean()) > 127 for i in range(200)])
    assert 0.4 < share < 0.6


def test_a_wall_is_no_photograph_to_learn_from():
    wall = np.full((200, 200, 3), 128, np.uint8)
    mask = np.zeros((200, 200), bool)
    with pytest.raises(UsageError, match="wall: no field of view"):
        Photograph(Sample("wall", wall, mask, mask), 0.5)


def test_shuffles_differ_by_epoch_and_share_items_between_processes():
    order = EpochShuffle(10, seed=3)
    first = list(order)
    order.set_epoch(1)
    second = list(order)
    assert sorted(first) == list(range(10))
    assert sorted(second) == list(range(10, 20))
    assert [i % 10 for i in second] != first
    parts = [list(EpochShuffle(10, 3, rank, 2)) for rank in (0, 1)]
    assert sorted(parts[0] + parts[1]) == list(range(10))
    assert [len(EpochShuffle(11, 3, rank, 2)) for rank in (0, 1)] == [5, 5]
