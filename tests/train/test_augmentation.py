"""Augmentations: what they change, and what they must leave alone."""

import cv2
import numpy as np
import pytest
import torch

from edge_vessel.errors import UsageError
from edge_vessel.sources.images import read_image
from train.augmentation import on_batches
from train.augmentation.camera import other_camera
from train.augmentation.offline import COLOUR, GREY, enlarge
from train.data.dataset import Sample


@pytest.fixture(scope="module")
def image(samples) -> np.ndarray:
    whole = read_image(sorted(samples.glob("*.jpg"))[0])
    return np.asarray(cv2.resize(whole, (240, 200), interpolation=cv2.INTER_AREA), np.uint8)


def test_another_camera_keeps_the_eye_and_changes_the_look(image):
    looks = [other_camera(image, np.random.default_rng(seed)) for seed in range(40)]
    assert all(look.shape == image.shape and look.dtype == np.uint8 for look in looks)
    means = np.array([look.mean(axis=(0, 1)) for look in looks])
    assert (means.std(axis=0) > 8).all(), "exposure and white balance hardly vary"

    # The large structures stay in place: blurred green planes still go together.
    def structure(one):
        return cv2.GaussianBlur(one[..., 1].astype(np.float32), (0, 0), 6).ravel()

    together = [np.corrcoef(structure(image), structure(look))[0, 1] for look in looks]
    assert np.median(together) > 0.85


def test_the_same_draw_gives_the_same_photograph(image):
    one, two = (other_camera(image, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, two)


def test_skunets_set_has_21_variants_in_colour_and_3_in_grey(image):
    label = image[..., 1] > 100
    sample = Sample("s", image, label, np.ones_like(label))
    found = enlarge([sample])
    assert (len(COLOUR), len(GREY), len(found)) == (21, 3, 25)
    assert found[0] is sample
    assert all(one.image.shape == image.shape and one.label.shape == label.shape for one in found)
    grey = [bool((one.image == one.image[..., :1]).all()) for one in found]
    assert grey == [False] * 22 + [True] * 3
    unlike = {one.image.tobytes() for one in found}
    assert len(unlike) == 25


def test_a_turned_variant_turns_its_label_with_it():
    image = np.zeros((101, 101, 3), np.uint8)
    image[48:53, 60:95] = 255
    sample = Sample("s", image, image[..., 0] > 0, np.ones((101, 101), bool))
    for change in COLOUR[:13]:
        one = change(sample)
        agree = (one.image[..., 0] > 127) == one.label
        assert agree.mean() > 0.98
        assert one.label.sum() == pytest.approx(sample.label.sum(), rel=0.1)


def test_the_papers_augmentation_moves_image_and_label_together():
    torch.manual_seed(0)
    image = torch.zeros(2, 3, 96, 96)
    image[..., 40:56, 20:80] = 1.0
    moved, label = on_batches("paper")(image, image[:, :1].clone())
    assert moved.shape == image.shape
    bright = moved.mean(dim=1, keepdim=True) > 0.35
    assert ((label > 0.5) == bright).float().mean() > 0.97


def test_an_unknown_augmentation_lists_the_known():
    with pytest.raises(UsageError, match="known: none, paper"):
        on_batches("strong")
