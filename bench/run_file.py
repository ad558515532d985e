"""A run as it is stored: one JSON document, its samples and its power trace beside it as CSV.

`schema/run.schema.json` is the contract; what is not in it is neither written nor read.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from bench import csv_file, document, trace
from bench.conditions import Conditions, Kind
from bench.csv_file import CsvFile
from bench.joules import Joules
from bench.peak import Peak
from bench.quantities import Count, Index, Length, NotNegative, Size, Time
from bench.samples import Latency
from bench.subject import Subject
from bench.trace import Reading
from edge_vessel.atomic import write_file
from edge_vessel.errors import UsageError
from edge_vessel.json_reader import Range

SCHEMA_VERSION = 2
MOST_CASES = 1000
MOST_CORES = 4096
MOST_HZ, LEAST_HZ = 1000.0, 0.001
COMMANDS = ("latency", "energy")
STAGES = ("preprocess", "inference", "postprocess")
_COLUMNS = ("case", *(f"{stage}_ms" for stage in STAGES))

Samples = Sequence[Sequence[float]]
"""Every timed run in order, (runs, 3), milliseconds by `STAGES`."""


@dataclass(frozen=True)
class Stages:
    """The way of a photograph; `total` is of their sums."""

    preprocess: Latency
    inference: Latency
    postprocess: Latency
    total: Latency

    @classmethod
    def of(cls, samples: Samples) -> "Stages":
        columns = [*zip(*samples, strict=True), [sum(one) for one in samples]]
        return cls(*(Latency.of(column) for column in columns))


@dataclass(frozen=True)
class Case:
    """One artifact with one number of threads on one image.

    `key` tells it from the other cases of a run, and finds it again in another run, of another
    machine too. Effective multiply-adds are the network's own over the median inference; `peak` is
    None where none is known. `image_size` is (height, width).
    """

    title: str
    subject: Subject
    threads: Count
    cores: Annotated[tuple[Index, ...], Length(1, MOST_CORES)]
    image: str
    image_size: Size
    warmup_s: NotNegative
    load_ms: NotNegative
    first_inference_ms: NotNegative
    stages: Stages
    gmadds_per_s: NotNegative
    peak: Peak | None
    peak_rss_mb: NotNegative

    @property
    def key(self) -> tuple[str, str, int, str]:
        """Name and precision of the artifact, threads, image."""
        return self.subject.name, self.subject.precision, self.threads, self.image


@dataclass(frozen=True)
class Run:
    """What one command measured; `samples` is the CSV, None where none was written."""

    schema_version: Count
    command: Literal["latency", "energy"]
    kind: Kind
    created: Time
    conditions: Conditions
    cases: Annotated[tuple[Case, ...], Length(1, MOST_CASES)]
    samples: CsvFile | None


@dataclass(frozen=True)
class EnergyCase(Case):
    """Latency of the loaded window, and its energy."""

    energy: Joules


@dataclass(frozen=True)
class MeterUsed:
    """What gave every power of a run; `asked_hz` is how often it was to be asked."""

    name: str
    kind: Literal["measured", "estimated"]
    accuracy: str
    asked_hz: Annotated[float, Range(LEAST_HZ, MOST_HZ)]


@dataclass(frozen=True)
class EnergyRun(Run):
    """`kind` is that of the times, `meter.kind` that of watts and joules.

    `idle_s` and `duration_s` are the windows that were asked for; `trace` is the CSV of
    readings, None where none was written.
    """

    cases: Annotated[tuple[EnergyCase, ...], Length(1, MOST_CASES)]
    meter: MeterUsed
    idle_s: NotNegative
    duration_s: NotNegative
    trace: CsvFile | None


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(
    path: Path, run: Run, samples: Sequence[Samples], readings: Sequence[Reading] = ()
) -> None:
    """The CSVs first, so that no document names one that is not there.

    Args:
        path: of the document.
        run: of energy or latency.
        samples: of each case.
        readings: of the meter, for a run of energy.

    Raises:
        DeviceError: the disk.
    """
    rows = (
        [number, *(f"{value:.4f}" for value in one)]
        for number, case in enumerate(samples)
        for one in case
    )
    run = replace(run, samples=csv_file.write(csv_file.beside(path, "samples"), _COLUMNS, rows))
    if isinstance(run, EnergyRun):
        run = replace(run, trace=trace.write(csv_file.beside(path, "trace"), readings))
    write_file(path, document.text(run).encode())


def read(path: Path) -> Run:
    """The document alone; an `EnergyRun` where it says so.

    Raises:
        UsageError: the file is missing, or is no run of this schema.
    """
    about = document.load(path)
    command = about.get("command")
    if command not in COMMANDS:
        raise UsageError(
            f"{path}: is no run of {' or '.join(COMMANDS)}: its command is {command!r:.40}"
        )
    document.check_version(about, SCHEMA_VERSION, path)
    found = document.build(EnergyRun if command == "energy" else Run, about, path)
    refuse_twins(str(path), [(case.key, case.title) for case in found.cases])
    return found


def refuse_twins(where: str, cases: Iterable[tuple[object, str]]) -> None:
    """Raises UsageError where two cases, each a key and what to call it, have the same key."""
    seen = set()
    for key, title in cases:
        if key in seen:
            raise UsageError(
                f"{where}: {title}: stands twice, by name, precision, threads and image; measure "
                "them in runs of their own"
            )
        seen.add(key)


def read_trace(path: Path, run: EnergyRun) -> list[Reading]:
    """Every reading of the meter.

    Raises:
        UsageError: the CSV is missing or holds something else.
    """
    return trace.read(path, run.trace)


def read_inference(path: Path, run: Run) -> list[list[float]]:
    """The inference of every timed run, in milliseconds, by case.

    Raises:
        UsageError: the CSV is missing or holds something else.
    """
    found: list[list[float]] = [[] for _ in run.cases]
    for row in csv_file.read(path, run.samples, _COLUMNS):
        try:
            number, times_ms = int(row[0]), [float(one) for one in row[1:]]
        except ValueError:
            number, times_ms = -1, []
        if not (0 <= number < len(found) and all(0 < one < math.inf for one in times_ms)):
            raise UsageError(f"{path}: its samples have no case and times in {row!r:.80}")
        found[number].append(times_ms[STAGES.index("inference")])
    for case, one in zip(run.cases, found, strict=True):
        if {stage.count for stage in vars(case.stages).values()} != {len(one)}:
            raise UsageError(f"{path}: {case.title}: {len(one)} samples are not as many as counted")
    return found
