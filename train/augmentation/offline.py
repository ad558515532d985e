"""24 fixed variants of each photograph, made once: SKU-Net's larger training set.

The paper trains on 24 variants, 21 in colour and 3 in grey. Which they are is our reading: turns by
every 30 degrees, both mirror images, and lighter, darker, harder, softer, stronger, paler, noisier
and blurred photographs, then grey ones, one as it is and two mirrored.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.dataset import Sample

Change = Callable[[Sample], Sample]


def _turn(degrees: float) -> Change:
    def change(sample: Sample) -> Sample:
        height, width = sample.label.shape
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)

        def turned(plane: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
            return np.asarray(cv2.warpAffine(plane, matrix, (width, height), flags=way), np.uint8)

        label, fov = (
            turned(mask.astype(np.uint8), cv2.INTER_NEAREST) > 0
            for mask in (sample.label, sample.fov)
        )
        return Sample(sample.id, turned(sample.image, cv2.INTER_LINEAR), label, fov)

    return change


def _mirror(*axes: int) -> Change:
    def change(sample: Sample) -> Sample:
        planes = (sample.image, sample.label, sample.fov)
        return Sample(sample.id, *(np.flip(plane, axes).copy() for plane in planes))

    return change


def _tone(function: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Change:
    def change(sample: Sample) -> Sample:
        values = function(sample.image.astype(np.float32))
        return replace(sample, image=np.clip(np.rint(values), 0, 255).astype(np.uint8))

    return change


def _contrast(factor: float) -> Change:
    return _tone(lambda x: (x - x.mean()) * np.float32(factor) + x.mean())


def _saturation(factor: float) -> Change:
    return _tone(lambda x: _luma(x) + np.float32(factor) * (x - _luma(x)))


def _noise(sigma: float) -> Change:
    draw = np.random.default_rng(0)
    return _tone(lambda x: x + draw.normal(0.0, sigma, x.shape).astype(np.float32))


def _blur(sigma: float) -> Change:
    return _tone(lambda x: np.asarray(cv2.GaussianBlur(x, (0, 0), sigma), np.float32))


def _luma(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return (x @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]


_GREY = _tone(lambda x: np.repeat(_luma(x), 3, axis=2))

COLOUR: tuple[Change, ...] = (
    *(_turn(degrees) for degrees in range(30, 360, 30)),
    _mirror(1),
    _mirror(0),
    _tone(lambda x: x * np.float32(1.25)),
    _tone(lambda x: x * np.float32(0.75)),
    _contrast(1.3),
    _contrast(0.7),
    _saturation(1.3),
    _saturation(0.7),
    _noise(8.0),
    _blur(1.0),
)
GREY: tuple[Change, ...] = (
    _GREY,
    lambda sample: _GREY(_mirror(1)(sample)),
    lambda sample: _GREY(_mirror(0)(sample)),
)


def enlarge(samples: list[Sample]) -> list[Sample]:
    """Each sample and its 24 variants, 25 in all, of the same size."""
    return [one for sample in samples for one in (sample, *_variants(sample))]


def _variants(sample: Sample) -> list[Sample]:
    return [change(sample) for change in (*COLOUR, *GREY)]
