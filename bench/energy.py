"""`python -m bench energy`: watts idle and loaded, joules per inference in total and above idle."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench import cases, conditions, document, energy_table, flags, run_file
from bench.cases import Plan
from bench.joules import SHORTEST_S, joules
from bench.run_file import LEAST_HZ, MOST_HZ, EnergyCase, EnergyRun, MeterUsed
from bench.trace import TracedMeter
from bench.worker import Worker
from edge_vessel import meters
from edge_vessel.board import Board, read_board
from edge_vessel.command_line import Parser, add_meter_flag
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters import Energy, Meter, NullMeter
from edge_vessel.meters.base import ATTACH
from edge_vessel.progress import shown

_IDLE_S = 60.0


@dataclass(frozen=True)
class _Loaded:
    """A case's window, and its samples by `run_file.STAGES`."""

    energy: Energy
    samples: list[tuple[float, ...]]


def energy(arguments: list[str]) -> int:
    """Measures, prints, writes. A meter that fails in a window costs the joules, not the run.

    Raises:
        UsageError: an option, an image.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
        DeviceError: there is no meter, the machine is busy or hot, the engine or the disk failed.
    """
    options = _parser().parse_args(arguments)
    _check(options)
    board = read_board()
    plans = cases.plan(options, board)
    meter = _meter(options.meter)
    try:
        before = conditions.begin(options.force, options.cooldown, board, plans[0].task.cores)
        measured, samples = _measure(options, plans, board, meter)
    finally:
        meter.close()
    after = read_board()
    run = EnergyRun(
        run_file.SCHEMA_VERSION,
        "energy",
        conditions.kind_of(after),
        run_file.now(),
        conditions.end(before, after),
        tuple(measured),
        samples=None,
        meter=_used(meter, options.meter_rate),
        idle_s=options.idle,
        duration_s=options.duration,
        trace=None,
    )
    conditions.warn(run.conditions)
    energy_table.warn(run)
    if options.output is not None:
        run_file.write(options.output, run, samples, meter.readings)
    if options.json:
        sys.stdout.write(document.text(run))
    else:
        energy_table.show(run)
    return 0


def _check(options: argparse.Namespace) -> None:
    for name in ("idle", "duration"):
        value_s = getattr(options, name)
        if value_s < SHORTEST_S and not options.force:
            raise UsageError(
                f"--{name} {value_s:g}: {SHORTEST_S:.0f} s or more, or a short window all the same "
                "with --force"
            )


def _meter(spec: str) -> TracedMeter:
    """Raises DeviceError without a meter: there is no energy without one."""
    meter = meters.find(spec)
    if isinstance(meter, NullMeter):
        step = "" if ATTACH in meter.why else f"; {ATTACH}"
        raise DeviceError(f"{meter.why}{step}")
    return TracedMeter(meter)


def _used(meter: Meter, asked_hz: float | None) -> MeterUsed:
    kind = meter.kind
    if kind == "none":
        raise RuntimeError(f"{meter.name}: measures nothing")
    return MeterUsed(meter.name, kind, meter.accuracy, asked_hz or meter.rate_hz)


def _measure(
    options: argparse.Namespace, plans: Sequence[Plan], board: Board, meter: TracedMeter
) -> tuple[list[EnergyCase], list[list[tuple[float, ...]]]]:
    """Idle, a case, idle, the next, idle: each case lies between two windows of the idle board.

    All processes are there from the first window to the last, asleep but for the one at work:
    to start one in between would warm the board up.
    """
    workers: list[Worker] = []
    try:
        for plan in plans:
            workers.append(Worker(plan.task))
        idle = [_idle(options, meter, 0)]
        loaded = []
        for number in shown(range(len(plans))):
            loaded.append(_load(options, meter, workers[number], number))
            idle.append(_idle(options, meter, number + 1))
        peaks = [worker.end() for worker in workers]
    finally:
        for worker in workers:
            worker.stop()
    measured = []
    for number, one in enumerate(loaded):
        case = cases.case(
            plans[number], workers[number], options.warmup, one.samples, peaks[number], board
        )
        total_ms = [sum(sample) for sample in one.samples]
        found = joules(meter, idle[number], one.energy, idle[number + 1], total_ms)
        measured.append(EnergyCase(**vars(case), energy=found))
    return measured, [one.samples for one in loaded]


def _idle(options: argparse.Namespace, meter: TracedMeter, number: int) -> Energy:
    return meter.measure_idle(f"idle {number}", options.idle, options.meter_rate)


def _load(options: argparse.Namespace, meter: TracedMeter, worker: Worker, number: int) -> _Loaded:
    if options.warmup:
        worker.run(seconds=options.warmup)
    with meter.measure(f"case {number}", options.meter_rate) as window:
        samples = worker.run(seconds=options.duration)
    return _Loaded(window.energy, samples)


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench energy", description=__doc__)
    cases.add_flags(parse)
    add_meter_flag(parse)
    parse.add_argument(
        "--meter-rate",
        type=flags.number(LEAST_HZ, MOST_HZ, "Hz"),
        metavar="HZ",
        help="default: as often as it has news",
    )
    parse.add_argument(
        "--idle",
        type=flags.seconds,
        default=_IDLE_S,
        metavar="S",
        help="before and after; default: 60",
    )
    parse.add_argument(
        "--duration", type=flags.seconds, default=SHORTEST_S, metavar="S",
        help="of each case; default: 30",
    )  # fmt: skip
    return parse
