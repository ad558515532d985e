"""The protected half of `python -m bench matching`: the same probes, templates under keys."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.samples import Latency
from edge_vessel.biometrics.keys import KEY_BYTES, StoreKey
from edge_vessel.biometrics.protected_gallery import ProtectedGallery
from edge_vessel.biometrics.protected_matcher import THRESHOLD, compare
from edge_vessel.biometrics.protection import protect
from edge_vessel.biometrics.protection_key import RENEWAL_BYTES, ProtectionKey
from edge_vessel.biometrics.template import Template
from edge_vessel.progress import shown


@dataclass(frozen=True)
class ProtectedMatching:
    """one_to_one: under a subject's own key, derived and expanded anew each time.
    one_to_many: under one key for all.
    found: searches whose first candidate was the probe's eye, and matched.
    """

    one_to_one: Latency
    one_to_many: Latency
    found: int


def measure(
    gallery: Sequence[Template], eyes: int, probes: Sequence[Template], rng: np.random.Generator
) -> ProtectedMatching:
    """Args:
    gallery: its first `eyes` are what the probes show, one after another.
    """
    store = StoreKey(rng.bytes(KEY_BYTES))
    shared = ProtectionKey.of(store, rng.bytes(RENEWAL_BYTES))
    searched = ProtectedGallery([protect(one, shared) for one in shown(gallery)], shared)
    pair_ms, search_ms, found = [], [], 0
    for run, probe in enumerate(shown(probes)):
        for number in (run % eyes, eyes + run % max(1, len(gallery) - eyes)):
            renewal = rng.bytes(RENEWAL_BYTES)
            reference = protect(gallery[number % len(gallery)], ProtectionKey.of(store, renewal))
            started = time.perf_counter()
            compare(probe, reference, ProtectionKey.of(store, renewal))
            pair_ms.append(1e3 * (time.perf_counter() - started))
        started = time.perf_counter()
        first = searched.search(probe)[0]
        search_ms.append(1e3 * (time.perf_counter() - started))
        found += first.index == run % eyes and first.score >= THRESHOLD
    return ProtectedMatching(Latency.of(pair_ms), Latency.of(search_ms), found)
