"""A comparison as it is stored; `schema/peers.schema.json` is the contract."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from bench import csv_file, document
from bench.conditions import Conditions, Kind
from bench.csv_file import CsvFile
from bench.quantities import Count, Index, Length, NotNegative, Size, Time
from bench.samples import Latency, Ratio
from bench.subject import Subject
from edge_vessel.atomic import write_file
from edge_vessel.json_reader import Range

SCHEMA_VERSION = 1
MOST_ENGINES = 100


@dataclass(frozen=True)
class EngineRow:
    """One engine. `inference` is of its rounds, each the mean of its repetitions.

    `ratio` is ours over its, paired by round, None for ours and below 20 rounds; differences are of
    probability, from ours.
    """

    engine: str
    version: str
    precision: str
    load_ms: NotNegative
    inference: Latency
    ratio: Ratio | None
    largest_difference: NotNegative
    mean_difference: NotNegative
    peak_rss_mb: NotNegative


@dataclass(frozen=True)
class LeftOut:
    """An engine that was not measured."""

    engine: str
    reason: str


@dataclass(frozen=True)
class PeersRun:
    """What `python -m bench peers` measured; ours is the first engine.

    `starts` is how often all processes were started anew, the rounds shared among them.
    """

    schema_version: Annotated[int, Range(SCHEMA_VERSION, SCHEMA_VERSION)]
    command: Literal["peers"]
    kind: Kind
    created: Time
    conditions: Conditions
    subject: Subject
    image: str
    image_size: Size
    threads: Count
    cores: Annotated[tuple[Index, ...], Length(1, 4096)]
    rounds: Count
    starts: Count
    repetitions: Count
    engines: Annotated[tuple[EngineRow, ...], Length(1, MOST_ENGINES)]
    left_out: Annotated[tuple[LeftOut, ...], Length(0, MOST_ENGINES)]
    samples: CsvFile | None


def write(path: Path, run: PeersRun, times_ms: Sequence[Sequence[float]]) -> None:
    """The CSV of rounds, a column an engine, then the document.

    Raises:
        DeviceError: the disk.
    """
    columns = ("round", *(f"{row.engine}_ms" for row in run.engines))
    rows = (
        [number, *(f"{value:.4f}" for value in values)]
        for number, values in enumerate(zip(*times_ms, strict=True))
    )
    samples = csv_file.write(csv_file.beside(path, "samples"), columns, rows)
    write_file(path, document.text(replace(run, samples=samples)).encode())
