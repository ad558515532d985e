"""Templates in the clear and protected ones are asked alike and answer alike."""

import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest
from drawn_eyes import eye, seen

from edge_vessel.biometrics.protection_key import ProtectionKey
from edge_vessel.biometrics.similarity import Similarity
from edge_vessel.errors import ArtifactError
from edge_vessel.kiosk.clear_scheme import ClearScheme
from edge_vessel.kiosk.protected_scheme import RISE, ProtectedScheme
from edge_vessel.kiosk.scheme import Scheme

RESULTS = Path(__file__).parents[3] / "bench/results"
PROTECTED = ProtectedScheme(ProtectionKey(b"k" * 32))
EYES = [eye(number) for number in range(4)]
AGAIN = [seen(one, Similarity(np.exp(0.1j), 0.02 - 0.01j)) for one in EYES]
STRANGER = eye(9)


@pytest.fixture(params=[ClearScheme(), PROTECTED], ids=lambda scheme: scheme.kind)
def scheme(request) -> Scheme:
    return request.param


def test_one_to_one(scheme):
    contents = [scheme.content(one) for one in EYES[:2]]
    assert scheme.matches(AGAIN[0], contents[:1])
    assert scheme.matches(AGAIN[0], contents)
    assert not scheme.matches(AGAIN[0], contents[1:])
    assert not scheme.matches(AGAIN[0], [])


def test_one_to_many(scheme):
    find = scheme.gallery([scheme.content(one) for one in EYES])
    assert [find(one) for one in AGAIN] == [0, 1, 2, 3]
    assert find(STRANGER) is None


def test_a_larger_gallery_needs_a_better_match(scheme):
    """Of a part of an eye, which is enough for one to one."""
    content = scheme.content(EYES[0])
    probes = [seen(EYES[0], Similarity(1, 0), 1, share / 100) for share in (46, 62, 80)]
    alone, of_many = (
        [find(one) for one in probes]
        for find in (scheme.gallery([content]), scheme.gallery([content] * 100))
    )
    assert alone == [0 if scheme.matches(one, [content]) else None for one in probes]
    assert of_many.count(None) > alone.count(None) > 0


def test_a_stranger_takes_as_long(scheme):
    asked = {"known": [scheme.content(EYES[0])], "nobody": []}
    spent_s: dict[str, list[float]] = {"known": [], "nobody": []}
    for _ in range(10):  # in turn: other work on this machine slows both
        for who, contents in asked.items():
            started = time.perf_counter()
            scheme.matches(AGAIN[0], contents)
            spent_s[who].append(time.perf_counter() - started)
    assert 0.5 < min(spent_s["nobody"]) / min(spent_s["known"]) < 2.0


def test_damaged_contents_are_told(scheme):
    for ask in (lambda: scheme.matches(AGAIN[0], [b"x"]), lambda: scheme.gallery([b"x"])):
        with pytest.raises(ArtifactError):
            ask()


def test_what_is_under_another_key_is_nobody_s():
    """As after a renewal, where somebody put the old rows back."""
    old = ProtectedScheme(ProtectionKey(b"o" * 32))
    contents = [old.content(EYES[0]), PROTECTED.content(EYES[1])]
    assert not PROTECTED.matches(AGAIN[0], contents[:1])
    find = PROTECTED.gallery(contents)
    assert [find(one) for one in AGAIN[:2]] == [None, 1]
    assert PROTECTED.gallery(contents[:1])(AGAIN[0]) is None


@pytest.mark.parametrize(
    ("name", "reach"),
    [
        ("ridb", [159, 18, 1]), ("drive_training", [1, 0, 0]), ("drive_test", [8, 1, 0]),
        ("hrf", [84, 9, 0]),
    ],
)  # fmt: skip
def test_the_rise_is_what_the_tail_of_the_stored_scores_asks_for(name, reach):
    """Of non-mated pairs; the numbers are those of docs/kiosk.md."""
    run = json.loads((RESULTS / f"protected_{name}.json").read_text())
    methods = run["evaluations"][-1]["evaluation"]["methods"]
    scores = next(one["non_mated"] for one in methods if one["method"] == "protected")
    assert [sum(score >= limit for score in scores) for limit in (3, 4, 5)] == reach
    assert max(scores) < 5.3
    assert all(8 * more <= less for less, more in itertools.pairwise(reach))
    assert 8**RISE >= 10
