"""Whole planes of windows."""

import numpy as np
import pytest
import torch

from train.models import create
from train.octa.discontinuity import border_discontinuity
from train.octa.inference import predict, predict_tiled, slide
from train.octa.settings import Settings

_SMALL = {"width": 4, "poolings": (2, 2), "plane_widths": (4, 8)}


def test_windows_keep_what_needs_no_neighbour():
    volume = torch.rand(1, 2, 4, 40, 24)
    for overlap in (0.0, 0.5):
        found = slide(volume, lambda patch: patch.mean(dim=(1, 2))[:, None], 16, overlap)
        torch.testing.assert_close(found, volume.mean(dim=(1, 2))[:, None])


def test_one_window_is_the_network_itself():
    network = create("asr_ipn_v2", **_SMALL).eval()
    values = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32), np.uint8)
    found = predict(network, values, Settings("asr_ipn_v2", window_px=32))
    with torch.inference_mode():
        image = torch.from_numpy(values / np.float32(127.5) - np.float32(1.0))[None]
        np.testing.assert_allclose(found, torch.sigmoid(network(image))[0, 0], atol=1e-6)


def test_the_second_stage_sees_stitched_features_as_one_plane():
    network = create("ipn_v2_plus", **_SMALL, global_widths=(4, 8)).eval()
    values = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 48), np.uint8)
    found = predict(network, values, Settings("ipn_v2_plus", tile_px=16))
    image = torch.from_numpy(values / np.float32(127.5) - np.float32(1.0))[None]
    with torch.inference_mode():
        rows = [image[..., row : row + 16, :].split(16, dim=-1) for row in (0, 16)]
        stitched = [torch.cat([network.features(one) for one in row], dim=3) for row in rows]
        whole = torch.sigmoid(network.whole(torch.cat(stitched, 2)))[0, 0]
    np.testing.assert_allclose(found, whole, atol=1e-5)
    assert predict_tiled(network.local, values, 16).shape == (32, 48)


@pytest.mark.parametrize(("jump", "expected"), [(0.0, 0.0), (0.1, 0.1), (3.0, 3.0)])
def test_borders_jump_against_the_rest(jump, expected):
    steps = np.ones(31, np.float32)
    steps[[7, 15, 23]] = jump  # between 7 and 8, 15 and 16, 23 and 24
    line = np.concatenate([[0], np.cumsum(steps)]).astype(np.float32)
    assert border_discontinuity(line[:, None] + line[None], 8) == pytest.approx(expected, abs=1e-5)
