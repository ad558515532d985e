"""What an estimate says, by which model, and how far the model was from published times."""

from dataclasses import asdict
from pathlib import Path

from bench import document
from bench.estimate_file import Cost, Model, Validation
from bench.peak import madds_per_cycle
from compile import targets
from compile.estimate import machine, tools
from compile.estimate.emulated import LINE_BYTES, Estimate
from compile.estimate.machine import Machine
from compile.targets import CompileTarget
from edge_vessel.command_line import printable

VALIDATIONS = {"cortex-a72": Path(__file__).with_name("results") / "cortex_a72_validation.json"}
# Targets of one such core; a board's other figures do not matter here.
_TARGETS = {"cortex-a72": "cortex-a72", "cortex-a76": "rpi5"}


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
    return document.build(Validation, document.load(path), path)


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
