"""Full-frame predictions of a data set, by any function from pixels to probabilities."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge_vessel.preprocessing import normalise
from train.data.dataset import DataSet, load
from train.metrics import Prediction

Predictor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def torch_predictor(network: nn.Module) -> Predictor:
    """(H, W, 3) uint8 RGB -> probability (H, W) float32, in float32 arithmetic."""

    def predict(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits = network(torch.from_numpy(normalise(image))[None])
            probability: NDArray[np.float32] = torch.sigmoid(logits)[0, 0].numpy()
        return probability

    return predict


def predictions(
    predict: Predictor, dataset: DataSet, root: Path, split: str
) -> Iterator[Prediction]:
    """Predicts the protocol's window and sets it into the full frame, 0 around it.

    Pixels outside the window thus count as true negatives, or as missed where they are vessel.
    """
    for record in dataset.records(root, split):
        sample = load(record)
        probability = np.zeros(sample.label.shape, np.float32)
        probability[dataset.window.slices] = predict(sample.crop(dataset.window).image)
        yield Prediction(sample.id, probability, sample.label, sample.fov)
