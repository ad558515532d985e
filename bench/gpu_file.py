"""A run on a GPU as it is stored; `schema/gpu.schema.json` is the contract."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from bench import csv_file, document, trace
from bench.conditions import Conditions, Kind
from bench.csv_file import CsvFile
from bench.joules import Joules
from bench.quantities import NotNegative, Size, Time
from bench.samples import Latency
from bench.subject import Subject
from bench.trace import Reading
from edge_vessel.atomic import write_file
from edge_vessel.json_reader import Range

SCHEMA_VERSION = 2
STEPS = ("to_device", "network", "from_device")
Samples = Sequence[Sequence[float]]
"""Every timed frame in order, (frames, 3), milliseconds by `STEPS`."""


@dataclass(frozen=True)
class GpuStages:
    """Of a frame, batch 1; `frame` is the sum of the three."""

    to_device: Latency
    network: Latency
    from_device: Latency
    frame: Latency

    @classmethod
    def of(cls, samples: Samples) -> "GpuStages":
        columns = [*zip(*samples, strict=True), [sum(one) for one in samples]]
        return cls(*(Latency.of(column) for column in columns))


@dataclass(frozen=True)
class GpuRun:
    """What `python -m bench gpu` measured.

    `device` is the GPU as its meter or driver calls it, `clock` what took the times, `meter` what
    gave the energy, None without one; `trace` is the CSV of its readings, None where none was
    written.
    """

    schema_version: Annotated[int, Range(SCHEMA_VERSION, SCHEMA_VERSION)]
    command: Literal["gpu"]
    kind: Kind
    created: Time
    conditions: Conditions
    subject: Subject
    device: str
    clock: str
    image: str
    image_size: Size
    warmup_s: NotNegative
    load_ms: NotNegative
    first_inference_ms: NotNegative
    stages: GpuStages
    meter: str | None
    energy: Joules | None
    samples: CsvFile | None
    trace: CsvFile | None


def write(path: Path, run: GpuRun, samples: Samples, readings: Sequence[Reading]) -> None:
    """The CSV of every frame, that of every reading of a meter, then the document.

    Raises:
        DeviceError: the disk.
    """
    rows = ([f"{value:.4f}" for value in one] for one in samples)
    columns = [f"{step}_ms" for step in STEPS]
    run = replace(run, samples=csv_file.write(csv_file.beside(path, "samples"), columns, rows))
    if run.energy is not None:
        run = replace(run, trace=trace.write(csv_file.beside(path, "trace"), readings))
    write_file(path, document.text(run).encode())
