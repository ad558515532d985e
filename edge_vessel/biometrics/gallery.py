"""One probe against many templates: a cheap search of all, then a comparison of the likeliest.

A landmark is described by the vessels around it, seen from the landmark and turned to its
direction, so that neither shift nor rotation matters: four log-polar rings (after the shape
contexts of Belongie et al., IEEE TPAMI 24(4), 2002) of eight sectors that sum exp(2i axis) of the
samples there. All landmarks of the gallery are one matrix, so that the search is a matrix product.
A template is worth the sum over the probe's landmarks of the eighth power of the best likeness.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.matcher import Comparison, Probe
from edge_vessel.biometrics.registration import places_of
from edge_vessel.biometrics.template import Template, as_complex, positions

RINGS = np.geomspace(0.03, 0.2, 4)  # diameters; each sample is shared by the two next to it
SECTORS = 8
_WIDTH = 2 * len(RINGS) * SECTORS
_LANDMARKS = 48  # of a template: the widest vessels'
_SCALES = (0.9, 1.1)  # of the probe: between them, 0.8 to 1.25 is never far
_BLOCK = 1024  # templates whose likenesses stay in the cache
_CANDIDATES = 20


@dataclass(frozen=True)
class Candidate:
    """A template of the gallery by its index, and how the probe compares with it."""

    index: int
    comparison: Comparison


class Gallery:
    """Templates to be searched; 12 KB each beside the template."""

    def __init__(self, templates: Sequence[Template]) -> None:
        self._templates = tuple(templates)
        self._index = np.zeros((_LANDMARKS, len(self._templates), _WIDTH), np.float32)
        for place, template in enumerate(self._templates):
            found = descriptors(template)[:_LANDMARKS]
            self._index[: len(found), place] = found

    def search(self, probe: Template, candidates: int = _CANDIDATES) -> list[Candidate]:
        """The templates that the cheap search finds likeliest, compared; best score first."""
        likeliest = np.argsort(-self.likeness(probe), kind="stable")[:candidates]
        ready = Probe(probe)
        found = [Candidate(int(i), ready.compare(self._templates[i])) for i in likeliest]
        return sorted(found, key=lambda one: -one.comparison.score)

    def likeness(self, probe: Template) -> NDArray[np.float32]:
        """(N,) of each template, without a unit."""
        asked = [descriptors(probe, scale)[:_LANDMARKS] for scale in _SCALES]
        total = np.zeros(len(self._templates), np.float32)
        for start in range(0, len(total), _BLOCK):
            block = self._index[:, start : start + _BLOCK]
            for questions in asked:
                best = np.zeros((len(questions), block.shape[1]), np.float32)
                for landmark in block:
                    np.maximum(best, questions @ landmark.T, out=best)
                worth = (((best**2) ** 2) ** 2).sum(axis=0)
                total[start : start + _BLOCK] = np.maximum(total[start : start + _BLOCK], worth)
        return total


def descriptors(template: Template, scale: float = 1.0) -> NDArray[np.float32]:
    """(L, 64) float32, of length 1 each, of the landmarks as if the eye were `scale` as large."""
    centres = as_complex(positions(template.landmarks))
    turn = template.landmarks["direction"] * np.float32(2 * np.pi / 256)
    seen = (places_of(template) - centres[:, None]) * (scale * np.exp(-1j * turn))[:, None]
    ring = np.interp(
        np.log(np.maximum(np.abs(seen), 1e-6)), np.log(RINGS), np.arange(4.0), left=-1, right=-1
    )
    at, sample = np.nonzero(ring >= 0)
    ring = ring[at, sample]
    sector = np.angle(seen[at, sample]) * (SECTORS / (2 * np.pi)) + SECTORS
    values = np.exp(2j * (template.axes[sample] - turn[at]))
    sums = np.zeros(len(centres) * len(RINGS) * SECTORS, np.complex128)
    inner, first = ring.astype(int), sector.astype(int)
    for outwards, share_of_ring in ((0, 1 - (ring - inner)), (1, ring - inner)):
        row = at * len(RINGS) + np.minimum(inner + outwards, len(RINGS) - 1)
        for on, share in ((0, 1 - (sector - first)), (1, sector - first)):
            cell = row * SECTORS + (first + on) % SECTORS
            spread = share_of_ring * share * values
            sums += np.bincount(cell, spread.real, sums.size)
            sums += 1j * np.bincount(cell, spread.imag, sums.size)
    # A ring further out is larger: without this it would outweigh those within.
    shaped = sums.reshape(-1, len(RINGS), SECTORS) / np.sqrt(RINGS)[:, None]
    flat = np.concatenate([shaped.real, shaped.imag], axis=1).reshape(-1, _WIDTH)
    length = np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return np.asarray(flat / length, np.float32)
