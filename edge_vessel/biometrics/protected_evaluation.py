"""What protection costs in errors, and what it is worth: linking and inverting templates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from edge_vessel.biometrics import protection_attacks as attacks
from edge_vessel.biometrics.captures import Capture
from edge_vessel.biometrics.evaluation import (
    EnrolledTrials,
    Evaluation,
    Scores,
    enrolled_points,
    enrolled_trials,
    evaluation_of,
    scores_of,
)
from edge_vessel.biometrics.keys import KEY_BYTES, StoreKey
from edge_vessel.biometrics.matcher import THRESHOLD as PLAIN_THRESHOLD
from edge_vessel.biometrics.matcher import Probe
from edge_vessel.biometrics.protected_matcher import THRESHOLD, Landmarks, ProtectedProbe, compare
from edge_vessel.biometrics.protection import protect
from edge_vessel.biometrics.protection_inversion import Inverted, inverted
from edge_vessel.biometrics.protection_key import RENEWAL_BYTES, ProtectionKey
from edge_vessel.biometrics.template import Template
from edge_vessel.biometrics.unlinkability import Unlinkability, unlinkability

_NON_MATED = 10  # other eyes that each template is tried to be linked with
_LEAST = 1e-6
_ATTACKS = (
    "the matcher (log10), one key",
    "codes, no key",
    "structure, no key",
    "both keys stolen",
)
_INVERTED = 10  # subjects whose template is inverted


@dataclass(frozen=True)
class ProtectedEvaluation:
    """evaluation: templates in the clear beside protected ones, over the same pairs. A reference
    is under its subject's key, and so is the probe that claims to be the subject.

    linked: each way to tell templates of one eye under two keys from those of two eyes; the first
    three know no key, or but one, the last knows both.
    inverted: templates whose key was stolen too, one for each of the first subjects.
    """

    evaluation: Evaluation
    linked: tuple[Unlinkability, ...]
    inverted: tuple[Inverted, ...]


class _Keys:
    """Keys without end, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._store = StoreKey(self.rng.bytes(KEY_BYTES))

    def new(self) -> ProtectionKey:
        return ProtectionKey.of(self._store, self.rng.bytes(RENEWAL_BYTES))


def evaluate_protected(
    kind: str, captures: Sequence[Capture], seed: int, pairs_done: Iterable[int]
) -> ProtectedEvaluation:
    """Compares every capture with every later one, links and inverts.

    Args:
        pairs_done: yields the captures' indices in order, and may show how far it is.

    Raises:
        UsageError: no mated or no non-mated pair is left among those with a template.
    """
    keys = _Keys(seed)
    usable = [(one.subject, one.template) for one in captures if one.template is not None]
    of_subject = {subject: keys.new() for subject, _ in usable}
    references = [protect(template, of_subject[subject]) for subject, template in usable]
    mated: list[bool] = []
    plain: list[float] = []
    protected: list[float] = []
    plain_ms, protected_ms = [], []
    for index in pairs_done:
        if index >= len(usable):
            continue
        subject, template = usable[index]
        probe, landmarks = Probe(template), Landmarks(template)
        for (other, in_clear), reference in zip(
            usable[index + 1 :], references[index + 1 :], strict=True
        ):
            started = perf_counter()
            plain.append(probe.compare(in_clear).score)
            between = perf_counter()
            protected.append(ProtectedProbe(landmarks, of_subject[other]).compare(reference))
            protected_ms.append(1e3 * (perf_counter() - between))
            plain_ms.append(1e3 * (between - started))
            mated.append(subject == other)
    methods = [
        scores_of("points (log10 LR)", plain, mated, plain_ms, PLAIN_THRESHOLD),
        scores_of("protected", protected, mated, protected_ms, THRESHOLD),
    ]
    enrolled = enrolled_trials(usable)
    if enrolled is not None:
        methods.insert(1, enrolled_points(enrolled))
        methods.append(_enrolled(enrolled, of_subject))
    return ProtectedEvaluation(
        evaluation=evaluation_of(kind, captures, enrolled, methods),
        linked=_linked(usable, keys, seed),
        inverted=_inverted(usable, keys),
    )


def _enrolled(enrolled: EnrolledTrials, of_subject: dict[str, ProtectionKey]) -> Scores:
    """What was merged in the clear is protected then."""
    scores, taken_ms = [], []
    for trial in enrolled.trials:
        key = of_subject[trial.claimed]
        reference = protect(trial.reference, key)
        started = perf_counter()
        scores.append(compare(trial.probe, reference, key))
        taken_ms.append(1e3 * (perf_counter() - started))
    mated = [one.mated for one in enrolled.trials]
    return scores_of("protected, enrolled", scores, mated, taken_ms, THRESHOLD)


def _linked(
    usable: Sequence[tuple[str, Template]], keys: _Keys, seed: int
) -> tuple[Unlinkability, ...]:
    """Each capture under one key with those of its eye, itself among them, and some of others
    under second keys."""
    subjects = np.array([subject for subject, _ in usable])
    first, second = ([keys.new() for _ in usable] for _ in range(2))
    ones = [protect(template, key) for (_, template), key in zip(usable, first, strict=True)]
    twos = [protect(template, key) for (_, template), key in zip(usable, second, strict=True)]
    scores: list[tuple[float, ...]] = []
    mated: list[bool] = []
    for index, (subject, template) in enumerate(usable):
        others = np.flatnonzero(subjects != subject)
        tried = keys.rng.choice(others, min(_NON_MATED, len(others)), replace=False)
        probe = ProtectedProbe(Landmarks(template), first[index])
        for other in (*np.flatnonzero(subjects == subject), *tried):
            scores.append(
                (
                    # Near 0 under two keys: there bins of one width would see one score.
                    float(np.log10(max(_LEAST, probe.support(twos[other])))),
                    attacks.likest_codes(ones[index], twos[other]),
                    attacks.likest_structure(ones[index], twos[other]),
                    attacks.likest_descriptors(
                        (ones[index], first[index]), (twos[other], second[other])
                    ),
                )
            )
            mated.append(bool(subjects[other] == subject))
    return tuple(
        unlinkability(
            name,
            [score for score, same in zip(column, mated, strict=True) if same],
            [score for score, same in zip(column, mated, strict=True) if not same],
            seed,
        )
        for name, column in zip(_ATTACKS, zip(*scores, strict=True), strict=True)
    )


def _inverted(usable: Sequence[tuple[str, Template]], keys: _Keys) -> tuple[Inverted, ...]:
    """The first capture of a subject, tried on the second."""
    of: dict[str, list[Template]] = {}
    for subject, template in usable:
        of.setdefault(subject, []).append(template)
    twice = [(subject, found) for subject, found in of.items() if len(found) > 1]
    return tuple(
        inverted(subject, (found[0], keys.new()), (found[1], keys.new()))
        for subject, found in twice[:_INVERTED]
    )
