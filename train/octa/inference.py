"""Whole planes out of windows: blended where they overlap, or side by side."""

from collections.abc import Callable

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor, nn

from train.models.ipn_v2_plus import IPNV2Plus
from train.octa.patches import network_input
from train.octa.settings import Settings


def slide(
    image: Tensor, forward: Callable[[Tensor], Tensor], window_px: int, overlap: float
) -> Tensor:
    """Any function of a patch over a whole image.

    Args:
        image: (1, channels, [depth,] H, W).
        forward: from such a patch to (1, C, h, w).
        overlap: of neighbouring windows, blended by a Gaussian; 0 sets them side by side.

    Returns:
        (1, C, H, W).
    """
    leading = image.shape[1:-2]

    # MONAI slides over all that is not a channel, and here the depth is never cut.
    def flat(patch: Tensor) -> Tensor:
        return forward(patch.reshape(len(patch), *leading, *patch.shape[-2:]))

    found: Tensor = sliding_window_inference(
        image.flatten(1, -3),
        roi_size=(window_px, window_px),
        sw_batch_size=1,
        predictor=flat,
        overlap=overlap,
        mode="gaussian" if overlap else "constant",
        padding_mode="reflect",
    )
    return found


def predict(
    network: nn.Module, values: NDArray[np.uint8], settings: Settings
) -> NDArray[np.float32]:
    """(channels, [depth,] H, W) uint8 to probability (H, W) float32.

    Of a network with global retraining, features come tile by tile, side by side as it has learnt
    them, and the second network sees the whole plane.
    """
    image = network_input(values)[None]
    with torch.inference_mode():
        if isinstance(network, IPNV2Plus):
            logits = network.whole(slide(image, network.features, settings.tile_px, 0.0))
        else:
            logits = slide(image, network, settings.window_px, settings.overlap)
        return np.asarray(torch.sigmoid(logits)[0, 0].numpy(), np.float32)


def predict_tiled(
    network: nn.Module, values: NDArray[np.uint8], tile_px: int
) -> NDArray[np.float32]:
    """As `predict`, of tiles side by side: what shows their borders."""
    with torch.inference_mode():
        logits = slide(network_input(values)[None], network, tile_px, 0.0)
        return np.asarray(torch.sigmoid(logits)[0, 0].numpy(), np.float32)
