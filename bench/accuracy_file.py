"""Accuracy as it is stored; `schema/accuracy.schema.json` is the contract."""

from dataclasses import dataclass
from typing import Annotated, Literal

from bench.conditions import Conditions, Kind
from bench.quantities import Count, Index, Length, NotNegative, Time
from bench.subject import Subject
from edge_vessel.json_reader import Range

SCHEMA_VERSION = 1
FIELD_OF_VIEW = "field of view"

Share = Annotated[float, Range(0.0, 1.0)]
Correlation = Annotated[float, Range(-1.0, 1.0)]


@dataclass(frozen=True)
class PixelScores:
    """Of all pixels together, as `train.metrics` defines them."""

    dice: Share
    accuracy: Share
    sensitivity: Share
    specificity: Share
    auc: Share
    mcc: Correlation


@dataclass(frozen=True)
class Line:
    """Pooled over a data set's test photographs, pixels of no fundus counting as background.

    `artifact` is its name, None for the checkpoint. Differences are of probabilities, from the
    first stage, over all pixels; None for itself.
    """

    stage: str
    artifact: str | None
    dataset: str
    region: str
    photographs: Count
    without_fundus: Index
    threshold: Share
    scores: PixelScores
    largest_difference: NotNegative | None
    mean_difference: NotNegative | None


@dataclass(frozen=True)
class AccuracyRun:
    """What `python -m bench accuracy` found."""

    schema_version: Annotated[int, Range(SCHEMA_VERSION, SCHEMA_VERSION)]
    command: Literal["accuracy"]
    kind: Kind
    created: Time
    conditions: Conditions
    subjects: Annotated[tuple[Subject, ...], Length(1, 1000)]
    lines: Annotated[tuple[Line, ...], Length(1, 10**5)]
