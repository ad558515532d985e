from dataclasses import replace

import numpy as np
import pytest
from biometrics.drawn_eyes import eye, seen
from biometrics.sealed_bytes import damaged, sealed
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_vessel.biometrics.enrolment import enrol
from edge_vessel.biometrics.keys import StoreKey
from edge_vessel.biometrics.protected_gallery import ProtectedGallery
from edge_vessel.biometrics.protected_matcher import (
    THRESHOLD,
    Landmarks,
    ProtectedProbe,
    compare,
)
from edge_vessel.biometrics.protection import BYTES, ProtectedTemplate, parse, protect
from edge_vessel.biometrics.protection_key import HOPS, SLOTS, ProtectionKey
from edge_vessel.biometrics.similarity import Similarity
from edge_vessel.biometrics.template import Template
from edge_vessel.errors import ArtifactError, UsageError


def _key(number: int) -> ProtectionKey:
    return ProtectionKey(bytes([number]) * 32)


def _full(seed: int) -> Template:
    """As many landmarks as a real eye has: twice those of a drawn one."""
    first, second = eye(seed), eye(seed + 1000)
    landmarks = np.concatenate([first.landmarks, second.landmarks])
    samples = np.concatenate([first.samples, second.samples])[:512]
    return replace(first, landmarks=landmarks, samples=samples)


def _pose(rotation_deg: float, scale: float, x: float = 0.0, y: float = 0.0) -> Similarity:
    return Similarity(scale * np.exp(1j * np.radians(rotation_deg)), complex(x, y))


@pytest.mark.parametrize(
    "pose", [_pose(0, 1), _pose(30, 1), _pose(170, 1), _pose(-17, 0.8), _pose(9, 1.25, 0.1, -0.1)]
)
def test_matches_one_eye_from_any_pose(pose: Similarity) -> None:
    capture = seen(_full(1), pose, lost=0.05)
    assert compare(capture, protect(_full(1), _key(1)), _key(1)) > THRESHOLD


def test_other_eyes_do_not_match() -> None:
    references = [protect(_full(seed), _key(1)) for seed in range(20)]
    probe = ProtectedProbe(Landmarks(_full(50)), _key(1))
    assert max(probe.compare(one) for one in references) < THRESHOLD


def test_several_captures_are_merged_and_then_protected() -> None:
    original = _full(3)
    captures = [seen(original, _pose(5 * turn, 1, 0.02 * turn), turn, 0.2) for turn in range(3)]
    reference = protect(enrol(captures), _key(1))
    probe = seen(original, _pose(-20, 0.95), 9, lost=0.2)
    assert compare(probe, reference, _key(1)) > THRESHOLD


def test_another_key_is_refused_and_would_not_match() -> None:
    reference = protect(_full(1), _key(1))
    with pytest.raises(UsageError, match="revoked, or another subject's; enrol again"):
        compare(_full(1), reference, _key(2))
    assert ProtectedProbe(Landmarks(_full(1)), _key(2)).support(reference) < THRESHOLD
    with pytest.raises(UsageError, match="under key"):
        ProtectedGallery([reference], _key(2)).search(_full(1))


def test_renewal_number_makes_the_key() -> None:
    store = StoreKey(b"s" * 32)
    first, second = (ProtectionKey.of(store, bytes([one]) * 16) for one in (1, 2))
    assert first.identifier != second.identifier
    assert first == ProtectionKey.of(store, b"\1" * 16)
    assert first.secret[:8] != first.identifier
    assert first.secret.hex() not in repr(first)
    with pytest.raises(UsageError, match="renewal number: 3 bytes; it has 16"):
        ProtectionKey.of(store, b"abc")


def test_without_the_key_each_bit_is_an_even_coin() -> None:
    """Over keys, for one eye: half of the time 1, and neighbours agree half of the time."""
    made = [protect(_full(1), _key(number)) for number in range(100)]
    bits = np.unpackbits(np.array([np.frombuffer(one.to_bytes()[13:-4], np.uint8) for one in made]))
    bits = bits.reshape(100, -1).astype(float)
    wide = 5 * 0.5 / np.sqrt(100)  # five deviations, of 9,216 bits
    assert np.abs(bits.mean(axis=0) - 0.5).max() < wide
    agree = (bits[:, 1:] == bits[:, :-1]).mean(axis=0)
    assert np.abs(agree - 0.5).max() < wide
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_landmarks_say_nothing_for_a_match(count: int) -> None:
    little = replace(_full(1), landmarks=_full(1).landmarks[:count])
    reference = protect(little, _key(1))
    assert len(reference.to_bytes()) == BYTES
    for probe, other in ((little, reference), (_full(1), reference)):
        assert compare(probe, other, _key(1)) < THRESHOLD
    assert compare(little, protect(_full(1), _key(1)), _key(1)) < THRESHOLD


def test_gallery_finds_the_eye() -> None:
    eyes = [_full(seed) for seed in range(30)]
    gallery = ProtectedGallery([protect(one, _key(1)) for one in eyes], _key(1))
    for index, pose in enumerate([_pose(30, 1, 0.1), _pose(-25, 0.85), _pose(100, 1.2)]):
        first, *others = gallery.search(seen(eyes[index], pose, lost=0.05), candidates=5)
        assert first.index == index
        assert first.score > THRESHOLD > others[0].score
    assert ProtectedGallery([], _key(1)).search(eyes[0]) == []


@st.composite
def _templates(draw: st.DrawFn) -> ProtectedTemplate:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = rng.integers(0, 2**64, SLOTS, np.uint64)
    return ProtectedTemplate(rng.bytes(8), codes, rng.integers(0, 2**32, (SLOTS, HOPS), np.uint32))


@given(_templates())
def test_comes_back_as_it_was(template: ProtectedTemplate) -> None:
    content = template.to_bytes()
    again = parse(content)
    assert again.to_bytes() == content
    assert len(content) == BYTES
    assert again.key_id == template.key_id
    assert np.array_equal(again.codes, template.codes)
    assert np.array_equal(again.poses, template.poses)


@settings(max_examples=10, deadline=None)
@given(_templates())
def test_any_template_can_be_compared(template: ProtectedTemplate) -> None:
    own = replace(template, key_id=_key(1).identifier)
    assert compare(eye(1), own, _key(1)) < THRESHOLD


@given(_templates(), st.data())
def test_no_bytes_raise_another_error(template: ProtectedTemplate, data: st.DataObject) -> None:
    content = damaged(template.to_bytes(), data)
    try:
        assert parse(content).to_bytes() == content
    except ArtifactError as error:
        assert "\n" not in str(error)


@given(st.binary(max_size=2 * BYTES))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError):
        parse(content)


def _with(offset: int, value: int) -> bytes:
    body = bytearray(protect(eye(1), _key(1)).to_bytes()[:-4])
    body[offset] = value
    return sealed(bytes(body))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "0 bytes; it has 1169"),
        (bytes(1170), "1170 bytes"),
        (_with(0, ord("X")), "starts with"),
        (_with(4, 2), "version 2 of the format; this reads 1"),
        (_with(20, 0)[:-1] + b"\0", "checksum"),
    ],
)
def test_says_what_is_wrong(content: bytes, fault: str) -> None:
    with pytest.raises(ArtifactError, match=fault):
        parse(content)
