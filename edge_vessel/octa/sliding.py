"""Patches over the plane with overlap, row by row, blended where they meet.

The arithmetic is that of MONAI's `sliding_window_inference` (its tests compare both), the volume
is never whole in memory.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_vessel.octa.description import OctaInput
from edge_vessel.octa.volume import Volume

_SIGMA = 0.125  # of the Gaussian, in patches
_LEAST_WEIGHT = 1e-3

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(channels, depth, height, width) float32 -> logits (classes, height, width) float32."""


@dataclass(frozen=True)
class Plane:
    """`logits` are (classes, H, W) float32, `en_face` the mean of the last channel along the depth,
    (H, W) float32, 0 to 255. Durations are in milliseconds."""

    logits: NDArray[np.float32]
    en_face: NDArray[np.float32]
    patches: int
    read_ms: float
    inference_ms: float


def slide(
    volume: Volume,
    form: OctaInput,
    network: Network,
    classes: int,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Plane:
    """The network over the whole plane of a volume; holds one row of patches at a time.

    A plane smaller than a patch is padded with what the network takes for 0.

    Raises:
        UsageError: the volume's voxels are damaged.
        DeviceError: the network failed.
    """
    _, height, width = volume.shape
    padded = max(height, form.height), max(width, form.width)
    top, left = (padded[0] - height) // 2, (padded[1] - width) // 2
    weight = blend_weights(form)
    weights = np.zeros(padded, np.float32)
    total = np.zeros((classes, *padded), np.float32)
    en_face = np.empty((height, width), np.float32)
    lefts = starts(padded[1], form.width, form.overlap)
    read_s = inference_s = 0.0
    patches = 0
    for y in progress(starts(padded[0], form.height, form.overlap)):
        started = time.perf_counter()
        first, last = max(y - top, 0), min(y - top + form.height, height)
        voxels = volume.band(first, last, form.depth)
        en_face[first:last] = voxels[-1].mean(axis=0)
        row = np.zeros((*form.shape[:2], form.height, padded[1]), np.float32)
        inside = row[:, :, first + top - y : last + top - y, left : left + width]
        for index, channel in enumerate(form.channels):
            np.multiply(voxels[index], np.float32(channel.scale), out=inside[index])
            inside[index] += np.float32(channel.offset)
        del voxels
        read = time.perf_counter()
        for x in lefts:
            logits = network(np.ascontiguousarray(row[..., x : x + form.width]))
            part = slice(y, y + form.height), slice(x, x + form.width)
            total[:, *part] += logits * weight
            weights[part] += weight
            patches += 1
        read_s += read - started
        inference_s += time.perf_counter() - read
    total /= weights
    shown = total[:, top : top + height, left : left + width]
    return Plane(shown, en_face, patches, 1e3 * read_s, 1e3 * inference_s)


def starts(size: int, patch: int, overlap: float) -> list[int]:
    """Where patches begin along one axis; the last one ends where the axis does."""
    step = patch if patch == size else max(1, int(patch * (1 - overlap)))
    inner = range(0, max(size - patch, 0), step)
    return [*inner, size - patch]


def blend_weights(form: OctaInput) -> NDArray[np.float32]:
    """(height, width) float32: how much each pixel of a patch counts."""
    if form.blending == "constant":
        return np.ones((form.height, form.width), np.float32)
    rows, columns = (_gaussian(side) for side in (form.height, form.width))
    weights = np.outer(rows, columns).astype(np.float32)
    return np.maximum(weights, np.float32(max(weights.min(), _LEAST_WEIGHT)))


def _gaussian(side: int) -> NDArray[np.float64]:
    position = np.arange(side) - (side - 1) / 2
    return np.asarray(np.exp(-(position**2) / (2 * (_SIGMA * side) ** 2)))
