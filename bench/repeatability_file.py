"""Repeatability as it is stored; `schema/repeatability.schema.json` is the contract."""

from dataclasses import dataclass
from typing import Annotated, Literal

from bench.conditions import Conditions, Kind
from bench.quantities import Count, Index, Length, Real, Time
from bench.subject import Subject
from edge_vessel.json_reader import Range
from edge_vessel.vessels import Biomarkers

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Capture:
    """One photograph; its biomarkers are None where no fundus was found."""

    person: str
    photograph: str
    biomarkers: Biomarkers | None


@dataclass(frozen=True)
class Agreement:
    """Of one biomarker, in its unit; `icc` may be negative by chance, and is None where nothing
    varies."""

    biomarker: str
    people: Count
    captures: Index
    mean: Real
    within_sd: Real
    between_sd: Real
    icc: Real | None


@dataclass(frozen=True)
class RepeatabilityRun:
    """What `python -m bench repeatability` found."""

    schema_version: Annotated[int, Range(SCHEMA_VERSION, SCHEMA_VERSION)]
    command: Literal["repeatability"]
    kind: Kind
    created: Time
    conditions: Conditions
    subject: Subject
    threshold: Annotated[float, Range(0.0, 1.0)]
    agreement: Annotated[tuple[Agreement, ...], Length(0, 100)]
    captures: Annotated[tuple[Capture, ...], Length(1, 10**5)]
