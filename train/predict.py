"""Full-frame predictions of a data set, by any function from pixels to probabilities."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import find_field_of_view, normalise
from train.data.dataset import DataSet, Record, Sample, load
from train.metrics import Prediction

Predictor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

_NATIVE = 0.03  # a scale this near to 1 is not worth its blur: as `edge_vessel.preprocessing`


@dataclass(frozen=True)
class Tiling:
    """Square windows that slide over the photograph, their logits blended by a Gaussian.

    `size_px` is a multiple of the network's; `overlap` is the share of a window that its neighbour
    sees too, made larger until the step is such a multiple as well: windows then sample the
    photograph as the whole does.

    99 % of what moves a pixel of M2U-Net lies within 96 px and all of it within 190 px, so that
    windows differ from the whole near their rims. Measured on a photograph of CHASE_DB1: at 544 px
    and an overlap of 0.25, 0.10 % of all pixels change sides of the threshold; of 0.5, 0.02 %.
    """

    size_px: int
    overlap: float = 0.25

    def overlap_on(self, multiple: int) -> float:
        """MONAI's `overlap` for that step.

        Raises:
            UsageError: the size is no multiple, or the overlap is not in [0, 1).
        """
        if self.size_px < multiple or self.size_px % multiple:
            raise UsageError(f"--tile {self.size_px}: this network takes multiples of {multiple}")
        if not 0.0 <= self.overlap < 1.0:
            raise UsageError(f"--overlap {self.overlap}: a share from 0 to less than 1")
        step = int(self.size_px * (1.0 - self.overlap)) // multiple * multiple
        return max(0.0, 1.0 - (max(step, multiple) + 0.5) / self.size_px)


def torch_predictor(network: nn.Module, tiling: Tiling | None = None) -> Predictor:
    """(H, W, 3) uint8 RGB of any size -> probability (H, W), both float32 arithmetic.

    Where H or W is no multiple of the network's `multiple`, the photograph is mirrored at its
    edges: a black margin stays black, and where the frame cuts the fundus off, vessels go on and no
    edge arises that could be taken for one.

    Raises:
        UsageError: the tiling does not suit the network.
    """
    multiple = int(getattr(network, "multiple", 1))
    forward: Callable[[Tensor], Tensor] = network
    if tiling is not None:
        from monai.inferers import sliding_window_inference

        forward = partial(
            sliding_window_inference,
            roi_size=(tiling.size_px, tiling.size_px),
            sw_batch_size=1,
            predictor=network,
            overlap=tiling.overlap_on(multiple),
            mode="gaussian",
            padding_mode="reflect",
        )

    def predict(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        rows, columns = -height % multiple, -width % multiple
        top, left = rows // 2, columns // 2
        if rows or columns:
            padded = cv2.copyMakeBorder(
                image, top, rows - top, left, columns - left, cv2.BORDER_REFLECT_101
            )
            image = np.asarray(padded, np.uint8)
        device = next((one.device for one in network.parameters()), torch.device("cpu"))
        with torch.inference_mode():
            logits = forward(torch.from_numpy(normalise(image))[None].to(device))
            probability: NDArray[np.float32] = torch.sigmoid(logits)[0, 0].cpu().numpy()
        return probability[top : top + height, left : left + width]

    return predict


def field_of_view_px(sample: Sample) -> float:
    """The diameter of the photograph's field of view, also where the frame cuts it off.

    Found in the photograph, as on the device; where nothing is found, that of a circle with the
    published mask's area.
    """
    found = find_field_of_view(sample.image)
    return 2.0 * (found.radius if found else float(np.sqrt(sample.fov.sum() / np.pi)))


def mean_field_of_view_px(records: list[Record]) -> float:
    """The mean over photographs."""
    return float(np.mean([field_of_view_px(load(record)) for record in records]))


def at_scale(predict: Predictor, scale: float) -> Predictor:
    """The network sees photographs `scale` times as large; probabilities are the photograph's.

    Smaller ones by area, larger ones linearly. Within 3 % of 1 nothing is scaled.
    """
    if abs(scale - 1.0) <= _NATIVE:
        return predict

    def scaled(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrink, grow = cv2.INTER_AREA, cv2.INTER_LINEAR
        seen = cv2.resize(image, size, interpolation=shrink if scale < 1 else grow)
        probability = predict(np.asarray(seen, np.uint8))
        back = cv2.resize(probability, (width, height), interpolation=grow if scale < 1 else shrink)
        return np.asarray(back, np.float32)

    return scaled


def predict_sample(
    predict: Predictor, dataset: DataSet, sample: Sample, fov_diameter_px: float | None = None
) -> Prediction:
    """Predicts the protocol's window and sets it into the full frame, 0 around it.

    Pixels outside the window thus count as true negatives, or as missed where they are vessel.

    Args:
        fov_diameter_px: of every photograph in the network; none takes photographs as they are.
    """
    if fov_diameter_px is not None:
        predict = at_scale(predict, fov_diameter_px / field_of_view_px(sample))
    probability = np.zeros(sample.label.shape, np.float32)
    probability[dataset.window.slices] = predict(sample.crop(dataset.window).image)
    return Prediction(sample.id, probability, sample.label, sample.fov)


def predictions(
    predict: Predictor,
    dataset: DataSet,
    root: Path,
    split: str,
    fov_diameter_px: float | None = None,
) -> Iterator[Prediction]:
    """`predict_sample` of each photograph of a split, one at a time."""
    for record in dataset.records(root, split):
        yield predict_sample(predict, dataset, load(record), fov_diameter_px)
