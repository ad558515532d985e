from dataclasses import replace

import numpy as np
import pytest
from biometrics.drawn_eyes import eye, seen
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_vessel.biometrics.enrolment import enrol
from edge_vessel.biometrics.gallery import Gallery
from edge_vessel.biometrics.matcher import THRESHOLD, compare, information_bits, score
from edge_vessel.biometrics.similarity import Similarity
from edge_vessel.errors import UsageError


def _pose(rotation_deg: float, scale: float, x: float = 0.0, y: float = 0.0) -> Similarity:
    return Similarity(scale * np.exp(1j * np.radians(rotation_deg)), complex(x, y))


@pytest.mark.parametrize(
    "pose",
    [
        _pose(0, 1),
        _pose(30, 1),
        _pose(-30, 1),
        _pose(12.5, 1.25),
        _pose(-17, 0.8),
        _pose(0, 1, 0.33),
        _pose(0, 1, -0.24, 0.24),
        _pose(30, 0.8, 0.1, -0.2),
        _pose(-30, 1.25, 0.1, 0.1),
        _pose(21, 0.93, -0.25, 0.15),
    ],
)
def test_finds_the_pose_of_one_eye(pose: Similarity) -> None:
    original = eye(1)
    found = compare(seen(original, pose), original)
    assert found.score > THRESHOLD
    assert found.pose is not None
    assert abs(found.pose.factor - pose.inverse.factor) < 0.02
    assert abs(found.pose.shift - pose.inverse.shift) < 0.01


def test_other_eyes_do_not_match() -> None:
    scores = [compare(eye(seed), eye(seed + 1)).score for seed in range(1, 30)]
    assert max(scores) < 0


def test_says_the_same_from_either_side() -> None:
    first, second = eye(1), seen(eye(1), _pose(20, 0.9, 0.1, 0.1))
    assert compare(first, second).score == pytest.approx(compare(second, first).score, abs=1.0)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_little_to_compare_says_nothing_for_a_match(count: int) -> None:
    little = replace(eye(1), samples=eye(1).samples[:count], landmarks=eye(1).landmarks[:0])
    for first, second in ((little, eye(1)), (eye(1), little), (little, little)):
        assert compare(first, second).score < THRESHOLD
    assert Gallery([little, eye(1)]).search(little)[0].comparison.score < THRESHOLD


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 30, 3000, 32767]), st.integers(0, 512))
def test_any_template_can_be_compared(seed: int, spread: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    samples = np.zeros(count, eye(1).samples.dtype)
    samples["x"], samples["y"] = rng.integers(-spread, spread, (2, count))
    samples["axis"], samples["seen"] = rng.integers(0, 256, count), 1
    strange = replace(eye(1), samples=samples)
    with np.errstate(all="raise", under="ignore"):
        for first, second in ((strange, eye(1)), (eye(1), strange)):
            assert compare(first, second).score < THRESHOLD


def test_a_probe_of_vessels_everywhere_does_not_match() -> None:
    rng = np.random.default_rng(0)
    full = eye(1).samples.copy()
    full["x"], full["y"] = rng.integers(-16000, 16000, (2, len(full)))
    full["axis"] = rng.integers(0, 256, len(full))
    assert compare(replace(eye(1), samples=full), eye(1)).score < 0


def test_score_is_a_likelihood_ratio() -> None:
    assert score(50, 100) == pytest.approx(0)
    assert score(75, 100) == pytest.approx(-score(25, 100)) == pytest.approx(50 * np.log10(3) / 8)
    assert information_bits(eye(1)) == pytest.approx(len(eye(1).samples) / 16 * np.log2(3))


def test_gallery_finds_the_eye_from_any_pose() -> None:
    eyes = [eye(seed) for seed in range(60)]
    gallery = Gallery(eyes)
    for index, pose in enumerate([_pose(30, 1, 0.1), _pose(-25, 0.8), _pose(10, 1.25, 0, 0.1)]):
        first, *others = gallery.search(seen(eyes[index], pose), candidates=5)
        assert first.index == index
        assert first.comparison.score > THRESHOLD > others[0].comparison.score
    assert Gallery([]).search(eyes[0]) == []


def test_enrolment_counts_what_is_seen_again() -> None:
    original = eye(3)
    captures = [
        seen(original, _pose(5 * number, 1, 0.03 * number), number, lost=0.2) for number in range(4)
    ]
    merged = enrol(captures)
    assert merged.captures == 4
    assert np.count_nonzero(merged.samples["seen"] >= 2) > 0.7 * len(original.samples)
    assert np.count_nonzero(merged.landmarks["seen"] >= 2) > 0.6 * len(original.landmarks)
    assert merged.field.sum() > captures[0].field.sum()
    probe = seen(original, _pose(-20, 0.9), 9, lost=0.2)
    assert compare(probe, merged).score > compare(probe, captures[0]).score
    assert len(merged.to_bytes()) <= 4096


@pytest.mark.parametrize(
    ("captures", "fault"),
    [([], "0 captures"), ([eye(1)] * 17, "17 captures"), ([eye(1), eye(2)], "capture 2 does not")],
)
def test_enrolment_refuses(captures: list, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        enrol(captures)
