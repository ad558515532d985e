import numpy as np
import pytest
from biometrics.drawn_eyes import eye

from edge_vessel.biometrics.gallery import descriptors
from edge_vessel.biometrics.protection import frames, protect, slots_of
from edge_vessel.biometrics.protection_attacks import (
    likest_codes,
    likest_descriptors,
    likest_structure,
)
from edge_vessel.biometrics.protection_inversion import invert, inverted
from edge_vessel.biometrics.protection_key import SLOTS, ProtectionKey
from edge_vessel.biometrics.unlinkability import local_measure, unlinkability


def _key(number: int) -> ProtectionKey:
    return ProtectionKey(bytes([number]) * 32)


@pytest.mark.parametrize(
    ("mated", "non_mated", "d_sys"),
    [
        ([0.0] * 50 + [1.0] * 50, [0.0] * 30 + [1.0] * 30, 0.0),
        ([1.0] * 100, [0.0] * 100, 1.0),
        # Half of the mated scores lie where only they are: D is 1 there, and 0 elsewhere.
        ([1.0] * 50 + [0.0] * 50, [0.0] * 100, 0.5),
        # In one bin 0.8 against 0.2: (0.8 - 0.2) / (0.8 + 0.2), for four fifths of the mated.
        ([1.0] * 80 + [0.0] * 20, [1.0] * 20 + [0.0] * 80, 0.48),
    ],
)
def test_measure_is_the_papers(mated: list, non_mated: list, d_sys: float) -> None:
    found = unlinkability("any", mated, non_mated, seed=0)
    assert found.d_sys == pytest.approx(d_sys)
    # Noise makes it positive: about 0 the interval of the bootstrap lies above the measure.
    assert (found.low <= found.d_sys <= found.high) == (d_sys > 0)
    assert (found.d_sys > found.chance) == (d_sys > 0)


def test_measure_is_local() -> None:
    edges, local = local_measure(np.array([1.0] * 80 + [0.0] * 20), np.array([1.0, 0, 0, 0, 0]))
    assert len(edges) == len(local) + 1
    assert local[-1] == pytest.approx(0.6)
    assert local[:-1].max() == 0


def test_scores_that_tell_nothing_come_out_as_chance() -> None:
    rng = np.random.default_rng(1)
    found = unlinkability("any", rng.normal(size=300).tolist(), rng.normal(size=900).tolist(), 0)
    assert found.d_sys < 2 * found.chance


def test_only_stolen_keys_link_two_templates() -> None:
    pairs = [(eye(seed), eye(seed + same)) for same in (0, 30) for seed in range(25)]
    ones = [(protect(first, _key(i)), _key(i)) for i, (first, _) in enumerate(pairs)]
    twos = [(protect(second, _key(100 + i)), _key(100 + i)) for i, (_, second) in enumerate(pairs)]
    for attack in (likest_codes, likest_structure):
        scores = [attack(one, two) for (one, _), (two, _) in zip(ones, twos, strict=True)]
        found = unlinkability("any", scores[:25], scores[25:], 0)
        assert found.d_sys < 0.5
        assert not found.low > found.chance
    scores = [likest_descriptors(one, two) for one, two in zip(ones, twos, strict=True)]
    assert min(scores[:25]) > max(scores[25:])


def test_a_stolen_key_gives_places_back() -> None:
    original = eye(2)
    found = invert(protect(original, _key(1)), _key(1))
    assert len(found.slots) <= SLOTS
    assert len(found.template.samples) == 512
    chain = frames(original)[0][slots_of(original, descriptors(original))]
    placed = found.slots[found.slots < len(chain)]
    off = np.abs(np.diff(found.places[: len(placed)])) - np.abs(np.diff(chain[placed]))
    assert np.median(np.abs(off)) < 0.05
    result = inverted("somebody", (original, _key(1)), (original, _key(2)))
    assert result.slots >= 5
    assert 0.4 < result.likeness < 0.9
    assert np.isfinite([result.place_error, result.plain_score, result.renewed_score]).all()
