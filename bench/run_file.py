"""A run as it is stored: one JSON document, its samples and its power trace beside it as CSV.

`schema/run.schema.json` is the contract; what is not in it is neither written nor read.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench import trace
from bench.conditions import Conditions, Kind
from bench.joules import Joules
from bench.peak import Peak
from bench.samples import Latency
from bench.trace import Reading
from edge_vessel import json_reader
from edge_vessel.atomic import write_file
from edge_vessel.errors import UsageError
from edge_vessel.json_reader import StrictJsonError

SCHEMA_VERSION = 1
STAGES = ("preprocess", "inference", "postprocess")

Samples = Sequence[Sequence[float]]
"""Every timed run in order, (runs, 3), milliseconds by `STAGES`."""


@dataclass(frozen=True)
class Subject:
    """The artifact that was measured. `size_bytes` is of all its files, `input` (height, width)."""

    name: str
    version: int
    manifest_sha256: str
    trust: str
    engine: str
    precision: str
    input: tuple[int, ...]
    multiply_adds: int
    size_bytes: int


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

    `title` tells it from the other cases of a run, and finds it again in another run. Effective
    multiply-adds are the network's own over the median inference; `percent_of_peak` is None where
    no peak is known. `image_size` is (height, width).
    """

    title: str
    subject: Subject
    threads: int
    cores: tuple[int, ...]
    image: str
    image_size: tuple[int, ...]
    warmup_s: float
    load_ms: float
    first_inference_ms: float
    stages: Stages
    gmadds_per_s: float
    peak: Peak | None
    percent_of_peak: float | None
    peak_rss_mb: float


@dataclass(frozen=True)
class Run:
    """What one command measured; `samples` names the CSV, None where none was written."""

    schema_version: int
    command: Literal["latency", "energy"]
    kind: Kind
    created: str
    conditions: Conditions
    cases: tuple[Case, ...]
    samples: str | None


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
    asked_hz: float


@dataclass(frozen=True)
class EnergyRun(Run):
    """`kind` is that of the times, `meter.kind` that of watts and joules.

    `idle_s` and `duration_s` are the windows that were asked for; `trace` names the CSV of
    readings, None where none was written.
    """

    cases: tuple[EnergyCase, ...]
    meter: MeterUsed
    idle_s: float
    duration_s: float
    trace: str | None


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def text(run: Run) -> str:
    """The document."""
    return json.dumps(asdict(run), indent=1) + "\n"


def write(
    path: Path, run: Run, samples: Sequence[Samples], readings: list[Reading] | None = None
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
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["case", *(f"{stage}_ms" for stage in STAGES)])
    for number, case in enumerate(samples):
        rows.writerows([number, *(f"{value:.4f}" for value in one)] for one in case)
    beside = path.with_suffix(".samples.csv")
    write_file(beside, table.getvalue().encode())
    run = replace(run, samples=beside.name)
    if isinstance(run, EnergyRun):
        traced = path.with_suffix(".trace.csv")
        write_file(traced, trace.content(readings or []))
        run = replace(run, trace=traced.name)
    write_file(path, text(run).encode())


def read(path: Path) -> Run:
    """The document alone; an `EnergyRun` where it says so.

    Raises:
        UsageError: the file is missing, or is no run of this schema.
    """
    try:
        document = json_reader.loads(path.read_bytes())
        energy = isinstance(document, dict) and document.get("command") == "energy"
        found = json_reader.build(EnergyRun if energy else Run, document)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except StrictJsonError as error:
        raise UsageError(f"{path}: not a run of this version's bench: {error}") from error
    if found.schema_version != SCHEMA_VERSION:
        raise UsageError(
            f"{path}: schema version {found.schema_version}; this bench reads {SCHEMA_VERSION}: "
            "measure again"
        )
    return found


def read_trace(path: Path, run: EnergyRun) -> list[Reading]:
    """Every reading of the meter.

    Raises:
        UsageError: the CSV is missing or holds something else.
    """
    return trace.read(path.parent / Path(run.trace or "none").name)


def read_inference(path: Path, run: Run) -> list[list[float]]:
    """The inference of every timed run, in milliseconds, by case.

    Raises:
        UsageError: the CSV is missing or holds something else.
    """
    beside = path.parent / Path(run.samples or "none").name
    found: list[list[float]] = [[] for _ in run.cases]
    try:
        with beside.open(newline="") as file:
            for row in csv.DictReader(file):
                found[int(row["case"])].append(float(row["inference_ms"]))
    except OSError as error:
        raise UsageError(f"{beside}: {error.strerror}: the samples of {path}") from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UsageError(f"{beside}: not the samples of {path}: {error!r}") from error
    for case, one in zip(run.cases, found, strict=True):
        if not one:
            raise UsageError(f"{beside}: has no samples of {case.title}")
    return found
