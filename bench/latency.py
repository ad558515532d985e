"""`python -m bench latency`: load time, first inference, percentiles by stage, memory."""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from bench import cases, conditions, document, flags, run_file, tables
from bench.cases import Plan
from bench.run_file import STAGES, Case, Run
from bench.worker import Worker
from edge_vessel.board import Board, read_board
from edge_vessel.command_line import Parser, whole_number
from edge_vessel.progress import shown

ROUNDS = 5  # in which several cases take turns
_DURATION_S = 10.0


def latency(arguments: list[str]) -> int:
    """Measures, prints, writes.

    Raises:
        UsageError: an option, an image.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
        DeviceError: the machine is busy or hot, the engine or the disk failed.
    """
    options = parser().parse_args(arguments)
    board = read_board()
    plans = cases.plan(options, board)
    cores = plans[0].task.cores
    before = conditions.begin(options.force, options.cooldown, board, cores)
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
        sys.stdout.write(document.text(run))
    else:
        _print(run)
    return 0


def _measure(
    options: argparse.Namespace, plans: Sequence[Plan], board: Board
) -> tuple[list[Case], list[list[tuple[float, ...]]]]:
    """Several cases take turns in random order, so that what the machine does falls on all."""
    workers: list[Worker] = []
    try:
        for plan in plans:
            workers.append(Worker(plan.task))
        for worker in workers:
            if options.warmup:
                worker.run(seconds=options.warmup)
        samples: list[list[tuple[float, ...]]] = [[] for _ in workers]
        random = np.random.default_rng(0)
        for wanted in shown(_turns(options, len(plans))):
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


def _turns(options: argparse.Namespace, plans: int) -> list[dict[str, float]]:
    """What a case does in each round: together what was asked for."""
    rounds = 1 if plans == 1 else ROUNDS
    if options.runs is None:
        return [{"seconds": options.duration / rounds}] * rounds
    rounds = min(rounds, options.runs)
    each, more = divmod(options.runs, rounds)
    return [{"runs": each + (turn < more)} for turn in range(rounds)]


def _print(run: Run) -> None:
    figures = ("runs", "min", "mean", "p50", "p90", "p95", "p99", "max", "std")
    title = f"{run.conditions.machine.cpu}; {run.kind}"
    table = tables.table(title, "case", "load", "first", "stage", *figures, right=len(figures))
    for case in run.cases:
        for stage, one in vars(case.stages).items():
            head = ["", "", ""]
            if stage == STAGES[0]:
                head = [case.title, f"{case.load_ms:.0f}", f"{case.first_inference_ms:.0f}"]
            values = [f"{value:.2f}" for value in list(vars(one).values())[1:]]
            tables.add(table, *head, stage, str(one.count), *values)
        table.add_section()
    tables.show(table)
    for case in run.cases:
        share = "peak not known"
        if case.peak is not None:
            share = f"{case.peak.percent:.1f} % of {case.peak.gmadds_per_s:.1f}"
        sys.stdout.write(
            f"{case.title}: {case.gmadds_per_s:.2f} G multiply-adds/s ({share}), peak memory "
            f"{case.peak_rss_mb:.0f} MB, artifact {case.subject.size_bytes / 1e6:.1f} MB\n"
        )
    sys.stdout.write(f"milliseconds; {conditions.course(run.conditions)}\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = Parser(prog="python -m bench latency", description=__doc__)
    cases.add_flags(parse)
    many = parse.add_mutually_exclusive_group()
    many.add_argument(
        "--runs", type=whole_number(1, 10**6), metavar="N", help="timed runs of each case"
    )
    many.add_argument(
        "--duration", type=flags.seconds, default=_DURATION_S, metavar="S",
        help="of each case; default: 10",
    )  # fmt: skip
    return parse
