"""Presentation checks as they are stored; `schema/presentation.schema.json` is the contract."""

from dataclasses import dataclass
from typing import Annotated, Literal

from bench.conditions import Conditions, Kind
from bench.quantities import Count, Index, Length, Positive, Time
from bench.samples import Latency
from edge_vessel.json_reader import Range

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Stream:
    """`refused` by default, of `captures`; `refused_with_pulse` where a pulse is required.

    `suspicions` are those that were given; `undecided` counts captures too short for a verdict.
    """

    name: str
    attack: bool
    captures: Count
    refused: Index
    refused_with_pulse: Index
    undecided: Index
    suspicions: Annotated[tuple[str, ...], Length(0, 100)]


@dataclass(frozen=True)
class PresentationRun:
    """What `python -m bench presentation` found.

    Each of `photographs` was played with each of `seeds` seeds for `duration_s`. `frame` is the
    processor time of a frame of `frame_side_px`, its field of view found and the frame added;
    `kind` is of that, the streams are simulated.
    """

    schema_version: Annotated[int, Range(SCHEMA_VERSION, SCHEMA_VERSION)]
    command: Literal["presentation"]
    kind: Kind
    created: Time
    conditions: Conditions
    photographs: Count
    seeds: Count
    duration_s: Positive
    streams: Annotated[tuple[Stream, ...], Length(1, 1000)]
    frame_side_px: Count
    frame: Latency
