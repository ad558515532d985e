"""All pairs of captures compared: mated of one subject, non-mated of two."""

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from edge_vessel.biometrics.capture_conditions import Condition, Difference, conditions
from edge_vessel.biometrics.captures import Capture
from edge_vessel.biometrics.enrolment import enrol
from edge_vessel.biometrics.error_rates import ErrorRates, Rate, error_rates
from edge_vessel.biometrics.graph_matching import LaidGraph
from edge_vessel.biometrics.map_correlation import CorrelatedMap
from edge_vessel.biometrics.matcher import THRESHOLD, Probe, information_bits
from edge_vessel.biometrics.quality import Hint
from edge_vessel.biometrics.template import MAX_CAPTURES, Template
from edge_vessel.errors import UsageError

_ENROLLED = 2  # captures at least


@dataclass(frozen=True)
class Scores:
    """Of one method, over all pairs of captures.

    compare_ms: median time of one comparison, both sides prepared where the method can.
    rates: at the method's own threshold; where it has none, at the one of the equal error rate,
        which this very data chose.
    """

    method: str
    mated: tuple[float, ...]
    non_mated: tuple[float, ...]
    compare_ms: float
    rates: ErrorRates


@dataclass(frozen=True)
class Refusal:
    """How many captures got a hint of the quality check."""

    hint: Hint
    captures: int


@dataclass(frozen=True)
class Evaluation:
    """kind: "photographs", or "synthetic" where one photograph gave both sides of a mated pair.

    failure_to_acquire: captures without a template, in all captures.
    failure_to_enrol: of sets of captures that `enrol` refuses; None where it was not tried.
    refusals: captures that the kiosk would not have taken, by its hint; all are compared here.
    conditions: mated pairs of the first method, by how their captures differ.
    template_bytes, information_bits: medians over the templates.
    """

    kind: str
    subjects: int
    failure_to_acquire: Rate
    failure_to_enrol: Rate | None
    refusals: tuple[Refusal, ...]
    template_bytes: float
    information_bits: float
    methods: tuple[Scores, ...]
    conditions: tuple[Condition, ...]


def evaluate(kind: str, captures: Sequence[Capture], pairs_done: Iterable[int]) -> Evaluation:
    """Compares every capture with every later one, by points, by graphs and by maps.

    Args:
        pairs_done: yields the captures' indices in order, and may show how far it is.

    Raises:
        UsageError: no mated or no non-mated pair is left among those with a template.
    """
    usable = [one for one in captures if one.template and one.vessels and one.graph]
    templates = [one.template for one in usable if one.template is not None]
    vessels = [(one.vessels, one.graph) for one in usable]
    maps = [CorrelatedMap(seen) for seen, _ in vessels if seen is not None]
    graphs = [LaidGraph(graph, seen.fov) for seen, graph in vessels if seen and graph]
    pairs = list(itertools.combinations(range(len(usable)), 2))
    mated = [usable[i].subject == usable[j].subject for i, j in pairs]
    if not any(mated) or all(mated):
        raise UsageError(f"{kind}: no mated or no non-mated pair among {len(usable)} captures")
    by_points: list[float] = []
    by_graphs: list[float] = []
    by_maps: list[float] = []
    points_ms, graphs_ms, maps_ms = [], [], []
    mated_pairs: list[tuple[float, Difference]] = []
    for index in pairs_done:
        if index >= len(usable):
            continue
        probe = Probe(templates[index])
        for other in range(index + 1, len(usable)):
            started = time.perf_counter()
            found = probe.compare(templates[other])
            compared = time.perf_counter()
            by_graphs.append(graphs[index].similarity(graphs[other]))
            laid = time.perf_counter()
            by_maps.append(maps[index].correlation(maps[other]))
            maps_ms.append(1e3 * (time.perf_counter() - laid))
            graphs_ms.append(1e3 * (laid - compared))
            points_ms.append(1e3 * (compared - started))
            by_points.append(found.score)
            if usable[index].subject == usable[other].subject:
                light = _brightness(usable[index]), _brightness(usable[other])
                mated_pairs.append((found.score, Difference.of(found.pose, light)))
    methods = [
        scores_of("points (log10 LR)", by_points, mated, points_ms, THRESHOLD),
        scores_of("graph matching", by_graphs, mated, graphs_ms, None),
        scores_of("map correlation", by_maps, mated, maps_ms, None),
    ]
    enrolled = enrolled_trials(
        [(one.subject, template) for one, template in zip(usable, templates, strict=True)]
    )
    if enrolled is not None:
        methods.insert(1, enrolled_points(enrolled))
    found_at = conditions(mated_pairs, THRESHOLD)
    return evaluation_of(kind, captures, enrolled, methods, found_at)


def evaluation_of(
    kind: str,
    captures: Sequence[Capture],
    enrolled: "EnrolledTrials | None",
    methods: Sequence[Scores],
    found_at: tuple[Condition, ...] = (),
) -> Evaluation:
    """With what the captures themselves say."""
    hints = Counter(one.quality.hint for one in captures if one.quality.hint is not None)
    templates = [one.template for one in captures if one.template is not None]
    return Evaluation(
        kind=kind,
        subjects=len({one.subject for one in captures}),
        failure_to_acquire=Rate.of(len(captures) - len(templates), len(captures)),
        failure_to_enrol=None if enrolled is None else enrolled.failure_to_enrol,
        refusals=tuple(Refusal(hint, count) for hint, count in hints.most_common()),
        template_bytes=median(one.size_bytes for one in templates),
        information_bits=median(information_bits(one) for one in templates),
        methods=tuple(methods),
        conditions=found_at,
    )


def _brightness(capture: Capture) -> float:
    return capture.quality.brightness or 0.0


@dataclass(frozen=True)
class Trial:
    """A capture against an enrolled template of `claimed`."""

    probe: Template
    reference: Template
    claimed: str
    mated: bool


@dataclass(frozen=True)
class EnrolledTrials:
    """failure_to_enrol: sets of captures that make no template, in all."""

    trials: tuple[Trial, ...]
    failure_to_enrol: Rate


def enrolled_trials(usable: Sequence[tuple[str, Template]]) -> EnrolledTrials | None:
    """Each capture against a template of every subject: its own from its other captures, another's
    from as many. None where a subject has fewer than two captures beside the one left out.

    Args:
        usable: subject and template of each capture.
    """
    of: dict[str, list[Template]] = {}
    for subject, template in usable:
        of.setdefault(subject, []).append(template)
    if min(map(len, of.values())) <= _ENROLLED:
        return None
    references = {}
    for subject, templates in of.items():
        for left_out in range(len(templates)):
            with contextlib.suppress(UsageError):
                references[subject, left_out] = _without(templates, left_out)
    trials = [
        Trial(template, reference, other, subject == other)
        for subject, templates in of.items()
        for left_out, template in enumerate(templates)
        for other, theirs in of.items()
        if (reference := references.get((other, left_out % len(theirs)))) is not None
    ]
    mated = [one.mated for one in trials]
    if not any(mated) or all(mated):
        return None
    failure = Rate.of(len(usable) - len(references), len(usable))
    return EnrolledTrials(tuple(trials), failure)


def enrolled_points(enrolled: EnrolledTrials) -> Scores:
    """The scores of templates in the clear."""
    scores, taken_ms = [], []
    for template, trials in itertools.groupby(enrolled.trials, lambda one: one.probe):
        probe = Probe(template)
        for trial in trials:
            started = time.perf_counter()
            scores.append(probe.compare(trial.reference).score)
            taken_ms.append(1e3 * (time.perf_counter() - started))
    mated = [one.mated for one in enrolled.trials]
    return scores_of("points, enrolled", scores, mated, taken_ms, THRESHOLD)


def _without(templates: Sequence[Template], left_out: int) -> Template:
    return enrol([*templates[:left_out], *templates[left_out + 1 :]][:MAX_CAPTURES])


def scores_of(
    method: str,
    scores: Sequence[float],
    mated: Sequence[bool],
    taken_ms: Sequence[float],
    threshold: float | None,
) -> Scores:
    """Of scores beside what is mated; without a threshold, at that of the equal error rate."""
    of_one = tuple(score for score, same in zip(scores, mated, strict=True) if same)
    of_two = tuple(score for score, same in zip(scores, mated, strict=True) if not same)
    if threshold is None:
        threshold = error_rates(of_one, of_two, 0.0).eer_threshold
    rates = error_rates(of_one, of_two, threshold)
    return Scores(method, of_one, of_two, median(taken_ms), rates)
