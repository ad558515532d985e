"""One capture against many protected templates under one key: who of them is it?

A gallery that is searched has one key for all: with a key for each the probe would have to be
protected for each. Who has no key can then lay its templates beside each other, and sees an eye
that is enrolled twice in it; those of another gallery tell as little as ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_vessel.biometrics.protected_matcher import Landmarks, ProtectedProbe
from edge_vessel.biometrics.protection import ProtectedTemplate
from edge_vessel.biometrics.protection_key import CODE_BITS, SLOTS, ProtectionKey
from edge_vessel.biometrics.template import Template

_BLOCK = 256  # templates whose codes stay in the cache
_CANDIDATES = 20
# Of bits that agree; as gallery.py has it, the eighth power of a likeness.
_WORTH = np.maximum(0, 2 * np.arange(CODE_BITS + 1) / CODE_BITS - 1).astype(np.float32) ** 8


@dataclass(frozen=True)
class ProtectedCandidate:
    """A template of the gallery by its index, and the score of the probe against it."""

    index: int
    score: float


class ProtectedGallery:
    """Templates to be searched; nothing is kept beside them."""

    def __init__(self, templates: Sequence[ProtectedTemplate], key: ProtectionKey) -> None:
        self._templates = tuple(templates)
        self._key = key
        codes = [one.codes for one in self._templates]
        self._codes = np.array(codes, np.uint64).reshape(-1, SLOTS).T.copy()

    def search(self, probe: Template, candidates: int = _CANDIDATES) -> list[ProtectedCandidate]:
        """The templates whose codes are likeliest, compared; best score first.

        Raises:
            UsageError: one of them is under another key.
        """
        ready = ProtectedProbe(Landmarks(probe), self._key)
        likeliest = np.argsort(-self._likeness(ready), kind="stable")[:candidates]
        found = [ProtectedCandidate(int(i), ready.compare(self._templates[i])) for i in likeliest]
        return sorted(found, key=lambda one: -one.score)

    def _likeness(self, probe: ProtectedProbe) -> NDArray[np.float32]:
        """(N,) of each template: the sum over slots of the worth of the code that agrees best."""
        total = np.zeros(self._codes.shape[1], np.float32)
        for start in range(0, len(total), _BLOCK):
            block = self._codes[:, start : start + _BLOCK]
            for codes in probe.widest_codes:
                apart = np.stack(
                    [
                        np.bitwise_count(asked[:, None] ^ slot).min(axis=0, initial=CODE_BITS)
                        for asked, slot in zip(codes, block, strict=True)
                    ]
                )
                worth = _WORTH[CODE_BITS - apart].sum(axis=0)
                part = total[start : start + _BLOCK]
                np.maximum(part, worth, out=part)
        return total
