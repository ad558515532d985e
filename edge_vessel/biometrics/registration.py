"""Lays one template on another: every rotation, scale and shift is tried, the best are refined.

Samples become a coarse picture whose value is exp(2i axis), so that the correlation of two
pictures counts samples at the same place with the same direction, and opposes those that cross. One
FFT gives it for all shifts; a bank of 78 turned and scaled pictures of the probe gives it for all
poses. What is best there is refined by iterated closest points with robust weights.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.similarity import Similarity, fit
from edge_vessel.biometrics.template import Template, as_complex

_SIDE = 64  # cells of the coarse picture
_PERIOD = 1.5  # diameters it covers; shifts up to half of it are told apart
_ROTATIONS_DEG = np.arange(-30, 31, 5)
_SCALES = np.geomspace(0.8, 1.25, 6)
_BLUR_CELLS = 0.8
_PEAKS = 12  # poses that are refined
_CHART_SIDE = 256  # cells of the map of nearest samples, over [-1, 1) diameters
_REACHES = (0.05, 0.03, 0.02, 0.012, 0.012)  # diameters, from one turn to the next
_MIN_PAIRS = 8
_MIN_SPREAD = 0.02  # diameters, of the places of the pairs


class Chart:
    """Of each place its nearest sample of a template."""

    def __init__(self, template: Template) -> None:
        self.places = places_of(template)
        self.axes = template.axes
        marks = np.full((_CHART_SIDE, _CHART_SIDE), 1, np.uint8)
        rows, columns = _cells(self.places, _CHART_SIDE, 2.0)
        marks[rows, columns] = 0
        _, labels = cv2.distanceTransformWithLabels(
            marks, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        of_label = np.zeros(int(labels.max()) + 1, np.intp)
        of_label[labels[rows, columns]] = np.arange(len(rows))
        self._nearest = of_label[labels]

    def nearest(self, places: NDArray[np.complex64]) -> NDArray[np.intp]:
        """(N,) the index of the sample next to each place, within a cell's width."""
        return np.asarray(self._nearest[_cells(places, _CHART_SIDE, 2.0)])


class Bank:
    """A probe, turned and scaled in all ways, ready to be laid on many references."""

    def __init__(self, probe: Template) -> None:
        self.places = places_of(probe)
        self.axes = probe.axes
        turn = np.exp(1j * np.radians(_ROTATIONS_DEG))
        self.factors = (turn[:, None] * _SCALES).ravel().astype(np.complex64)
        values = np.exp(2j * self.axes).astype(np.complex64)
        turned = self.factors[:, None] * self.places
        phases = (self.factors / np.abs(self.factors))[:, None] ** 2 * values
        pictures = _pictures(turned, phases)
        self.spectra = np.stack([_transformed(one) for one in pictures]).conj()

    def poses(self, reference: Template) -> list[Similarity]:
        """The likeliest, best first."""
        values = np.exp(2j * reference.axes).astype(np.complex64)
        picture = _pictures(places_of(reference)[None], values[None])[0]
        products = self.spectra * (_transformed(picture) * _BLUR)
        peaks = []
        for factor, product in zip(self.factors, products, strict=True):
            agreement = _transformed(product, cv2.DFT_INVERSE).real
            cell = int(agreement.argmax())
            row, column = divmod(cell, _SIDE)
            shift = complex(_signed(column), _signed(row)) * (_PERIOD / _SIDE)
            peaks.append((float(agreement[row, column]), Similarity(complex(factor), shift)))
        peaks.sort(key=lambda peak: -peak[0])
        return [pose for _, pose in peaks[:_PEAKS]]


def places_of(template: Template) -> NDArray[np.complex64]:
    """(N,) the samples as x + iy in diameters."""
    return as_complex(template.points)


def refine(probe: Bank, chart: Chart, pose: Similarity) -> Similarity:
    """The pose from which the probe's samples lie best on the chart's, started at `pose`."""
    for reach in _REACHES:
        moved = pose.of(probe.places)
        near = chart.nearest(moved)
        distance = np.abs(moved - chart.places[near])
        turned = probe.axes + np.float32(pose.rotation_rad) - chart.axes[near]
        weights = np.maximum(0, 1 - (distance / reach) ** 2) * np.maximum(0, np.cos(2 * turned))
        paired = probe.places[weights > 0]
        if len(paired) < _MIN_PAIRS or np.std(paired) < _MIN_SPREAD:
            return pose
        pose = fit(probe.places, chart.places[near], weights.astype(np.float32))
    return pose


def _transformed(picture: NDArray[np.complex64], flags: int = 0) -> NDArray[np.complex64]:
    """OpenCV's transform: a tenth of the time of NumPy's in single precision."""
    both = picture.view(np.float32).reshape(_SIDE, _SIDE, 2)
    return np.asarray(cv2.dft(both, flags=flags).view(np.complex64)[..., 0])


def _signed(cell: int) -> int:
    return cell - _SIDE if cell >= _SIDE // 2 else cell


def _cells(
    places: NDArray[np.complex64], side: int, period: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    scaled = places * (side / period) + side / 2 * (1 + 1j)
    rows, columns = (
        np.clip(part, 0, side - 1).astype(np.intp) for part in (scaled.imag, scaled.real)
    )
    return rows, columns


def _pictures(
    places: NDArray[np.complex64], values: NDArray[np.complex64]
) -> NDArray[np.complex64]:
    """(P, 64, 64): `values` (P, N) summed in the cells of `places` (P, N), around the borders."""
    x, y = (
        np.rint(part * (_SIDE / _PERIOD)).astype(np.int32) % _SIDE
        for part in (places.real, places.imag)
    )
    page = np.arange(len(places), dtype=np.int32)[:, None] * (_SIDE * _SIDE)
    cells, size = (page + y * _SIDE + x).ravel(), len(places) * _SIDE * _SIDE
    picture = np.empty(size, np.complex64)
    picture.real = np.bincount(cells, values.real.ravel(), size)
    picture.imag = np.bincount(cells, values.imag.ravel(), size)
    return picture.reshape(len(places), _SIDE, _SIDE)


_frequency = np.fft.fftfreq(_SIDE) * 2 * np.pi
_squares = _frequency[:, None] ** 2 + _frequency**2
_BLUR = np.exp(-(_BLUR_CELLS**2) * _squares / 2).astype(np.float32)
