"""Probabilities of photographs of any size, in tiles, at other scales."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from fundus_drawings import fundus
from torch import nn

from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import normalise
from train.data import find
from train.data.dataset import Sample, Window, load
from train.models import create
from train.models.checkpoint import load_network
from train.predict import Tiling, at_scale, field_of_view_px, predict_sample, torch_predictor


class Blur(nn.Module):
    """A network whose answer reaches 2 px, and which refuses what is no multiple of 8."""

    multiple = 8

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 1, 5, padding=2)
        nn.init.constant_(self.head.weight, 0.02)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert image.shape[2] % 8 == image.shape[3] % 8 == 0
        found: torch.Tensor = self.head(image)
        return found


def _photograph(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (61, 64), (57, 70), (5, 3), (1, 1)])
def test_any_size_is_padded_and_cut_back(size):
    network, image = Blur(), _photograph(*size)
    found = torch_predictor(network)(image)
    assert found.shape == size
    with torch.inference_mode():
        bare = torch.sigmoid(network.head(torch.from_numpy(normalise(image))[None]))[0, 0].numpy()
    assert np.allclose(found[2:-2, 2:-2], bare[2:-2, 2:-2], atol=1e-6)


def test_a_multiple_is_not_touched():
    network, image = create("m2unet").eval(), _photograph(32, 48)
    with torch.inference_mode():
        whole = torch.sigmoid(network(torch.from_numpy(normalise(image))[None]))[0, 0].numpy()
    assert np.array_equal(torch_predictor(network)(image), whole)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_tiles_are_the_whole_but_for_their_rims(overlap):
    network, image = Blur(), _photograph(150, 199)
    whole = torch_predictor(network)(image)
    tiled = torch_predictor(network, Tiling(48, overlap))(image)
    apart = np.abs(whole - tiled)
    assert (
        apart.max() < 0.3
    )  # at the rim of a tile the network sees zeros in place of its neighbour
    assert np.median(apart) < 1e-6


@pytest.mark.data
def test_tiles_of_m2unet_change_few_pixels(data):
    network = load_network(Path("train/weights/m2unet_drive.ckpt"))[1]
    dataset = find("chase_db1")
    image = load(dataset.records(data, "test")[0]).crop(dataset.window).image
    whole = torch_predictor(network)(image)
    tiled = torch_predictor(network, Tiling(544, 0.5))(image)
    assert np.abs(whole - tiled).mean() < 1e-3
    assert ((whole >= 0.58) != (tiled >= 0.58)).mean() < 5e-4
    # Only the first window weighs here, and its rims are beyond the network's reach.
    assert np.abs(whole - tiled)[:130, :130].max() < 2e-2


@pytest.mark.parametrize(
    ("tiling", "multiple", "step"),
    [
        (Tiling(544, 0.25), 16, 400),  # not 408, whose tiles would sample other pixels
        (Tiling(544, 0.0), 16, 544),
        (Tiling(64, 0.99), 32, 32),
        (Tiling(500), 16, "multiples of 16"),
        (Tiling(0), 16, "multiples of 16"),
        (Tiling(64, 1.0), 16, "--overlap 1.0"),
        (Tiling(64, -0.1), 16, "--overlap -0.1"),
    ],
)
def test_tiles_step_by_the_networks_multiple(tiling, multiple, step):
    if isinstance(step, str):
        with pytest.raises(UsageError, match=step):
            tiling.overlap_on(multiple)
    else:
        assert int(tiling.size_px * (1 - tiling.overlap_on(multiple))) == step


@pytest.mark.parametrize(("scale", "seen"), [(0.5, (30, 45)), (2.0, (120, 180)), (1.02, (60, 90))])
def test_the_network_sees_the_scaled_photograph_and_gives_the_photographs_pixels(scale, seen):
    shapes = []

    def predict(image: np.ndarray) -> np.ndarray:
        shapes.append(image.shape[:2])
        return image[..., 0].astype(np.float32) / 255

    ramp = np.repeat(np.linspace(0, 255, 90).astype(np.uint8)[None, :, None], 60, 0)
    found = at_scale(predict, scale)(ramp.repeat(3, 2))
    assert shapes == [seen]
    assert found.shape == (60, 90)
    assert np.abs(found - ramp[..., 0] / 255.0).max() < 0.02


def _sample(image: np.ndarray) -> Sample:
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.circle(mask, (mask.shape[1] // 2, mask.shape[0] // 2), 100, 1, -1)
    return Sample("x", image, mask > 0, mask > 0)


@pytest.mark.parametrize(
    ("image", "diameter"),
    [
        pytest.param(fundus(400, 500, (250, 200), 180), 360, id="found in the photograph"),
        pytest.param(fundus(300, 500, (250, 150), 180), 360, id="cut off by the frame"),
        pytest.param(np.zeros((400, 500, 3), np.uint8), 200, id="the mask's, where none is found"),
    ],
)
def test_diameter_of_the_field_of_view(image, diameter):
    assert field_of_view_px(_sample(image)) == pytest.approx(diameter, rel=0.02)


def test_prediction_fills_the_window_at_the_diameter_asked_for():
    shapes = []

    def predict(image: np.ndarray) -> np.ndarray:
        shapes.append(image.shape[:2])
        return np.ones(image.shape[:2], np.float32)

    dataset = SimpleNamespace(window=Window(top=10, left=20, height=380, width=440))
    sample = _sample(fundus(400, 500, (250, 200), 180))
    found = predict_sample(predict, dataset, sample, 180).probability
    assert shapes[0] == pytest.approx((190, 220), rel=0.02)
    assert found[10:390, 20:460].min() == 1.0
    assert found.sum() == 380 * 440
