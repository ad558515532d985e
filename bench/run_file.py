"""A run as it is stored: one JSON document, its raw samples beside it as CSV.

`schema/run.schema.json` is the contract; what is not in it is not written.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.conditions import Conditions, Kind
from bench.peak import Peak
from bench.samples import Latency
from edge_vessel.atomic import write_file
from edge_vessel.errors import UsageError

SCHEMA_VERSION = 1
STAGES = ("preprocess", "inference", "postprocess")


@dataclass(frozen=True)
class Subject:
    """The artifact that was measured. `size_bytes` is of all its files, `input` (height, width)."""

    name: str
    version: int
    manifest_sha256: str
    trust: str
    engine: str
    precision: str
    input: tuple[int, int]
    multiply_adds: int
    size_bytes: int


@dataclass(frozen=True)
class Case:
    """One artifact with one number of threads on one image.

    `stages` is by preprocess, inference, postprocess and total. Effective multiply-adds are the
    network's own over the median inference; `percent_of_peak` is None where no peak is known.
    `samples_ms` holds every timed run in order, (runs, 3), by `STAGES`; in the file they stand in
    the CSV.
    """

    subject: Subject
    threads: int
    cores: tuple[int, ...]
    image: str
    image_size: tuple[int, int]
    warmup_s: float
    load_ms: float
    first_inference_ms: float
    stages: dict[str, Latency]
    gmadds_per_s: float
    peak: Peak | None
    percent_of_peak: float | None
    peak_rss_mb: float
    samples_ms: tuple[tuple[float, ...], ...]

    @property
    def title(self) -> str:
        """Tells it from the other cases of a run, and finds it again in another run."""
        height, width = self.image_size
        cores = ",".join(map(str, self.cores))
        return (
            f"{self.subject.name}, {self.threads} threads on cores {cores}, {self.image} "
            f"{width}x{height}"
        )


@dataclass(frozen=True)
class Run:
    """What one command measured."""

    command: str
    kind: Kind
    created: str
    conditions: Conditions
    cases: tuple[Case, ...]


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def document(run: Run, samples: str | None) -> dict[str, Any]:
    """The JSON document; `samples` names the CSV."""
    cases = []
    for case in run.cases:
        content = {"title": case.title, **asdict(case)}
        del content["samples_ms"]
        cases.append(content)
    return {
        "schema_version": SCHEMA_VERSION,
        "command": run.command,
        "kind": run.kind,
        "created": run.created,
        "conditions": asdict(run.conditions),
        "cases": cases,
        "samples": samples,
    }


def write(path: Path, run: Run) -> None:
    """The CSV first, so that no document names one that is not there.

    Raises:
        DeviceError: the disk.
    """
    samples = path.with_suffix(".samples.csv")
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["case", *(f"{stage}_ms" for stage in STAGES)])
    for number, case in enumerate(run.cases):
        rows.writerows([number, *(f"{value:.4f}" for value in one)] for one in case.samples_ms)
    write_file(samples, table.getvalue().encode())
    content = json.dumps(document(run, samples.name), indent=1) + "\n"
    write_file(path, content.encode())


@dataclass(frozen=True)
class StoredCase:
    """What a comparison needs of a case: its title and the runs' inference times."""

    title: str
    inference_ms: tuple[float, ...]


@dataclass(frozen=True)
class StoredRun:
    """A run read back."""

    path: Path
    kind: str
    machine: dict[str, Any]
    throttle: tuple[str, ...]
    cases: tuple[StoredCase, ...]


def read(path: Path) -> StoredRun:
    """Reads a run and its samples.

    Raises:
        UsageError: a file is missing, or is no run of this schema.
    """
    try:
        content = json.loads(path.read_text())
        if content["schema_version"] != SCHEMA_VERSION:
            raise UsageError(
                f"{path}: schema version {content['schema_version']}; this bench reads "
                f"{SCHEMA_VERSION}: measure again"
            )
        name = Path(content["samples"]).name
        table = list(_samples(path.parent / name, len(content["cases"])))
        cases = tuple(
            StoredCase(case["title"], tuple(one))
            for case, one in zip(content["cases"], table, strict=True)
        )
        conditions = content["conditions"]
        return StoredRun(
            path, content["kind"], conditions["machine"], tuple(conditions["throttle"]), cases
        )
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: not a run of `python -m bench`: {type(error).__name__}: {error}"
        ) from error


def _samples(path: Path, count: int) -> Iterator[Sequence[float]]:
    found: list[list[float]] = [[] for _ in range(count)]
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            found[int(row["case"])].append(float(row["inference_ms"]))
    for number, one in enumerate(found):
        if not one:
            raise ValueError(f"{path.name} has no samples of case {number}")
        yield one
