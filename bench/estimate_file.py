"""Estimates as they are stored; `schema/estimate*.schema.json` are the contracts."""

from dataclasses import dataclass
from typing import Annotated, Literal

from bench.quantities import Count, Index, Length, NotNegative, Positive, Size, Time
from bench.subject import Subject
from edge_vessel.json_reader import Range

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Model:
    """Every parameter, from compile/estimate/machine.py; `pipelines` is LLVM's scheduling model."""

    cpu: str
    pipelines: str
    clock_mhz: Positive
    l1_bytes: Count
    l1_ways: Count
    l2_bytes: Count
    l2_ways: Count
    line_bytes: Count
    l2_hit_cycles: NotNegative
    bandwidth_mb_per_s: Positive
    qemu: str
    llvm_mca: str


@dataclass(frozen=True)
class Cost:
    """Of one inference on one core.

    `core_ms` is of the pipelines and of hits in the second-level cache, `memory_ms` of what goes to
    and from memory. `ms`, the estimate, is the longer of them; `serial_ms` is their sum, were
    nothing to overlap. `percent_of_peak` is None for what does not calculate in float32.
    """

    instructions: Index
    cycles: Index
    l1_misses: Index
    l2_misses: Index
    bytes_read: Index
    bytes_written: Index
    core_ms: NotNegative
    memory_ms: NotNegative
    ms: Positive
    serial_ms: Positive
    ms_per_gmadd: NotNegative
    percent_of_peak: NotNegative | None


@dataclass(frozen=True)
class Checked:
    """A network of which a time is published; `published_to_estimated` is their ratio."""

    name: str
    multiply_adds: Index
    parameters: Index
    cost: Cost
    published_ms: Positive
    published_to_estimated: Positive


@dataclass(frozen=True)
class Validation:
    """The model against times that others have measured."""

    schema_version: Count
    kind: Literal["estimated"]
    created: Time
    git_revision: str | None
    engine: str
    source: str
    model: Model
    networks: Annotated[tuple[Checked, ...], Length(1, 100)]

    @property
    def ratios(self) -> tuple[float, float]:
        """The smallest and the largest of published to estimated."""
        found = [one.published_to_estimated for one in self.networks]
        return min(found), max(found)


@dataclass(frozen=True)
class EstimateRun:
    """One artifact on one core; `validation` is None where the model was never checked."""

    schema_version: Annotated[int, Range(SCHEMA_VERSION, SCHEMA_VERSION)]
    command: Literal["estimate"]
    kind: Literal["estimated"]
    created: Time
    git_revision: str | None
    subject: Subject
    model: Model
    cost: Cost
    validation: Validation | None


@dataclass(frozen=True)
class PeerEstimateRun:
    """A network of another engine on one core; `multiply_adds` is what the caller says it has."""

    schema_version: Annotated[int, Range(SCHEMA_VERSION, SCHEMA_VERSION)]
    command: Literal["estimate_ncnn"]
    kind: Literal["estimated"]
    created: Time
    git_revision: str | None
    engine: str
    network: str
    input: Size
    multiply_adds: Index
    model: Model
    cost: Cost
    validation: Validation | None
