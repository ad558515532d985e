"""Patches of rendered eyes."""

import numpy as np
import pytest
import torch

from edge_vessel.errors import UsageError
from train.octa.patches import Patches, network_input

SIDE = 40


def _patches(seed=0, size_px=16, scale=0.1, eyes=(0, 2)):
    random = np.random.default_rng(0)
    labels = random.random((3, SIDE, SIDE)) < 0.4
    labels[1] = True  # of an eye that is not to be seen
    images = np.repeat(labels[:, None, None], 2, axis=1).repeat(4, axis=2).astype(np.uint8) * 255
    return Patches(images, labels, list(eyes), size_px, scale, np.random.default_rng(seed))


def test_the_network_sees_minus_one_to_one():
    values = network_input(np.array([[0, 255]], np.uint8))
    assert values.tolist() == [[-1.0, 1.0]]


def test_images_and_labels_are_cut_mirrored_and_scaled_alike():
    patches = _patches()
    for _ in range(5):
        image, label = patches.batch(3)
        assert image.shape == (3, 2, 4, 16, 16)
        assert label.shape == (3, 1, 16, 16)
        torch.testing.assert_close((image[:, 0, 0] + 1) / 2, label[:, 0], atol=1e-5, rtol=0)
        assert not label.all()


def test_the_seed_decides():
    one, again, other = (_patches(seed).batch(2)[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_patches_come_from_everywhere_and_mirrored():
    labels = np.zeros((1, SIDE, SIDE), bool)
    labels[0, 0, 0] = True
    images = labels[:, None, None].astype(np.uint8)
    patches = Patches(images, labels, [0], SIDE - 1, 0.0, np.random.default_rng(0))
    corners = set()
    for _ in range(60):
        label = patches.batch(1)[1][0, 0]
        corners |= {tuple(place) for place in torch.nonzero(label).tolist()}
    last = SIDE - 2
    assert corners == {(0, 0), (0, last), (last, 0), (last, last)}


def test_a_patch_larger_than_the_plane_is_one_line():
    with pytest.raises(UsageError, match="larger than a plane of 40x40 px"):
        _patches(size_px=38)
