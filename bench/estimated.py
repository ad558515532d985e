"""What an estimate says, by which model, and how far the model was from published times."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from bench.peak import madds_per_cycle
from bench.quantities import Count, Index, Length, NotNegative, Positive, Time
from compile import targets
from compile.estimate import machine, tools
from compile.estimate.emulated import LINE_BYTES, Estimate
from compile.estimate.machine import Machine
from compile.targets import CompileTarget
from edge_vessel import json_reader
from edge_vessel.bounded_read import read_regular
from edge_vessel.command_line import printable
from edge_vessel.errors import UsageError
from edge_vessel.json_reader import StrictJsonError

VALIDATIONS = {"cortex-a72": Path(__file__).with_name("results") / "cortex_a72_validation.json"}
_MOST_BYTES = 2**20
# Targets of one such core; a board's other figures do not matter here.
_TARGETS = {"cortex-a72": "cortex-a72", "cortex-a76": "rpi5"}


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


def target(cpu: str) -> CompileTarget:
    """One that has this CPU."""
    return targets.find(_TARGETS[cpu])


def core(cpu: str) -> tuple[Machine, tuple[int, int]]:
    """The machine that weighs, and the bytes of its two caches.

    Raises:
        UsageError: a program is missing.
    """
    chosen = target(cpu)
    found = machine.find(chosen)
    tools.check(found.llvm)
    return found, (chosen.l1_bytes, chosen.l2_bytes)


def model(cpu: str) -> Model:
    """What `core` computes with.

    Raises:
        UsageError, DeviceError: see `core`; a program does not say its version.
    """
    found, (l1_bytes, l2_bytes) = core(cpu)
    mca = tools.call([f"llvm-mca{found.llvm}", "--version"], Path.cwd())
    return Model(
        cpu,
        found.model,
        found.clock_hz / 1e6,
        l1_bytes,
        found.l1_ways,
        l2_bytes,
        found.l2_ways,
        LINE_BYTES,
        found.l2_hit_cycles,
        found.bandwidth / 1e6,
        tools.call(["qemu-aarch64", "--version"], Path.cwd()).splitlines()[0],
        next(line.strip() for line in mca.splitlines() if "version" in line),
    )


def cost(found: Estimate, multiply_adds: int, model: Model, precision: str) -> Cost:
    """In the units of a report."""
    seconds, per_cycle = found.seconds, madds_per_cycle(model.cpu.title())
    percent = None
    if per_cycle is not None and precision == "fp32":
        peak = per_cycle * model.clock_mhz * 1e6
        percent = round(100 * multiply_adds / seconds / peak, 1)
    return Cost(
        found.instructions,
        round(found.cycles),
        found.l1_misses,
        found.l2_misses,
        found.bytes_read,
        found.bytes_written,
        round(1e3 * found.core_seconds, 3),
        round(1e3 * found.memory_seconds, 3),
        round(1e3 * seconds, 3),
        round(1e3 * found.serial_seconds, 3),
        round(1e12 * seconds / multiply_adds, 3),
        percent,
    )


def read_validation(cpu: str) -> Validation | None:
    """How far the model was from published times; None where nobody has looked.

    Raises:
        UsageError: the file is damaged.
    """
    path = VALIDATIONS.get(cpu)
    if path is None:
        return None
    content = read_regular(path, _MOST_BYTES, UsageError, follow_symlinks=True)
    try:
        return json_reader.build(Validation, json_reader.loads(content))
    except StrictJsonError as error:
        raise UsageError(f"{path}: not a validation of this version's bench: {error}") from error


def text(
    title: str, cost: Cost, multiply_adds: int, model: Model, validation: Validation | None
) -> str:
    """The lines of a report."""
    share = "" if cost.percent_of_peak is None else f", {cost.percent_of_peak} % of the core's peak"
    parameters = ", ".join(f"{name} {value}" for name, value in asdict(model).items())
    lines = [
        f"{title}: one inference on one {model.cpu} at {model.clock_mhz:.0f} MHz, estimated",
        f"{cost.ms:.1f} ms ({cost.serial_ms:.1f} if nothing overlapped), {cost.ms_per_gmadd:.1f} "
        f"ms a G multiply-adds of {multiply_adds / 1e9:.2f}{share}",
        f"{cost.instructions / 1e6:.1f} M instructions, {cost.cycles / 1e6:.1f} M cycles of the "
        f"pipelines: {cost.core_ms:.1f} ms with hits in L2",
        f"{cost.l1_misses / 1e6:.2f} M misses of L1, {cost.l2_misses / 1e6:.2f} M of L2: "
        f"{cost.bytes_read / 1e6:.1f} MB read and {cost.bytes_written / 1e6:.1f} MB written, "
        f"{cost.memory_ms:.1f} ms of memory",
        f"model: {parameters}",
        f"error of the model: {_error(validation)}",
    ]
    return "".join(f"{printable(line)}\n" for line in lines)


def _error(validation: Validation | None) -> str:
    if validation is None:
        return "not known, no published time of this core was compared"
    low, high = validation.ratios
    networks = ", ".join(
        f"{one.name} {one.published_ms:.1f} ms, estimated {one.cost.ms:.1f}"
        for one in validation.networks
    )
    return f"published times are {low:.2f} to {high:.2f} of the estimates ({networks})"
