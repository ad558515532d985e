"""`python -m bench latency`: load time, first inference, percentiles by stage, memory."""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import cases, conditions, run_file
from bench.cases import Plan
from bench.run_file import STAGES, Case, Run
from bench.worker import Worker
from edge_vessel.board import Board, read_board
from edge_vessel.errors import UsageError

ROUNDS = 5  # in which several cases take turns
_DURATION_S = 10.0


def latency(arguments: list[str]) -> int:
    """Measures, prints, writes.

    Raises:
        UsageError: an option, an image.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
        DeviceError: the machine is busy or hot, the engine or the disk failed.
    """
    options = _parser().parse_args(arguments)
    board = read_board()
    if options.runs is not None and options.runs < 1:
        raise UsageError(f"--runs {options.runs}: 1 or more")
    cases.check_seconds("duration", options.duration)
    plans = list(cases.plan(options, board))
    before = conditions.begin(options.force, options.cooldown, board)
    measured, samples = _measure(options, plans, board)
    after = read_board()
    run = Run(
        run_file.SCHEMA_VERSION,
        "latency",
        conditions.kind_of(after),
        run_file.now(),
        conditions.end(before, after),
        tuple(measured),
        samples=None,
    )
    conditions.warn(run.conditions)
    if options.output is not None:
        run_file.write(options.output, run, samples)
    if options.json:
        sys.stdout.write(run_file.text(run))
    else:
        _print(run)
    return 0


def _measure(
    options: argparse.Namespace, plans: Sequence[Plan], board: Board
) -> tuple[list[Case], list[list[tuple[float, ...]]]]:
    """Several cases take turns in random order, so that what the machine does falls on all."""
    rounds = 1 if len(plans) == 1 else ROUNDS
    wanted = _wanted(options, rounds)
    console = Console(stderr=True)
    workers: list[Worker] = []
    try:
        for plan in plans:
            workers.append(Worker(plan.task))
        for worker in workers:
            if options.warmup:
                worker.run(seconds=options.warmup)
        samples: list[list[tuple[float, ...]]] = [[] for _ in workers]
        random = np.random.default_rng(0)
        for _ in track(
            range(rounds), "measuring", console=console, disable=not console.is_terminal
        ):
            for index in random.permutation(len(workers)):
                samples[index] += workers[index].run(**wanted)
        peaks = [worker.end() for worker in workers]
    finally:
        for worker in workers:
            worker.stop()
    measured = [
        cases.case(plan, worker, options.warmup, one, peak_rss_mb, board)
        for plan, worker, one, peak_rss_mb in zip(plans, workers, samples, peaks, strict=True)
    ]
    return measured, samples


def _wanted(options: argparse.Namespace, rounds: int) -> dict[str, float]:
    if options.runs is not None:
        return {"runs": -(-options.runs // rounds)}
    return {"seconds": options.duration / rounds}


def _print(run: Run) -> None:
    table = Table(title=f"{run.conditions.machine.cpu}; {run.kind}")
    for name in ("case", "load", "first", "stage"):
        table.add_column(name)
    for name in ("runs", "min", "mean", "p50", "p90", "p95", "p99", "max", "std"):
        table.add_column(name, justify="right")
    for case in run.cases:
        for stage, one in vars(case.stages).items():
            head = ["", "", ""]
            if stage == STAGES[0]:
                head = [case.title, f"{case.load_ms:.0f}", f"{case.first_inference_ms:.0f}"]
            values = [f"{value:.2f}" for value in list(vars(one).values())[1:]]
            table.add_row(*head, stage, str(one.count), *values)
        table.add_section()
    console = Console()
    # A file or a pipe has no width: rich would squeeze the table into 80 columns.
    (console if console.is_terminal else Console(width=200)).print(table)
    for case in run.cases:
        share = "peak of this core not known"
        if case.peak is not None:
            share = f"{case.percent_of_peak:.1f} % of {case.peak.gmadds_per_s:.1f}"
        sys.stdout.write(
            f"{case.title}: {case.gmadds_per_s:.2f} G multiply-adds/s ({share}), peak memory "
            f"{case.peak_rss_mb:.0f} MB, artifact {case.subject.size_bytes / 1e6:.1f} MB\n"
        )
    sys.stdout.write(f"milliseconds; {conditions.course(run.conditions)}\n")


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(prog="python -m bench latency", description=__doc__)
    cases.add_flags(parse)
    many = parse.add_mutually_exclusive_group()
    many.add_argument("--runs", type=int, metavar="N", help="timed runs of each case")
    many.add_argument(
        "--duration", type=float, default=_DURATION_S, metavar="S", help="of each case; default: 10"
    )
    return parse
