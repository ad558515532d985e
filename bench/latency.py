"""`python -m bench latency`: load time, first inference, percentiles by stage, memory."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import conditions, run_file
from bench.cores import choose_cores
from bench.peak import find_peak
from bench.run_file import STAGES, Case, Run, Stages, Subject
from bench.worker import Loaded, Task, Worker
from edge_vessel import models, signing
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.board import Board, read_board
from edge_vessel.engines.cores import available
from edge_vessel.errors import UsageError

ROUNDS = 5  # in which several cases take turns
_DURATION_S = 10.0


@dataclass(frozen=True)
class Plan:
    """One case before it is measured."""

    artifact: Artifact
    task: Task


def latency(arguments: list[str]) -> int:
    """Measures, prints, writes.

    Raises:
        UsageError: an option, an image.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
        DeviceError: the machine is busy or hot, the engine or the disk failed.
    """
    options = _parser().parse_args(arguments)
    board = read_board()
    plans = list(_plans(options, board))
    before = conditions.begin(options.force, options.cooldown, board)
    cases, samples = _measure(options, plans, board)
    after = read_board()
    run = Run(
        run_file.SCHEMA_VERSION,
        "latency",
        conditions.kind_of(after),
        run_file.now(),
        conditions.end(before, after),
        tuple(cases),
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


def _plans(options: argparse.Namespace, board: Board) -> Iterator[Plan]:
    cores = choose_cores(options.cores, board, available())
    if options.runs is not None and options.runs < 1:
        raise UsageError(f"--runs {options.runs}: 1 or more")
    for name in ("warmup", "duration", "cooldown"):
        if getattr(options, name) < 0:
            raise UsageError(f"--{name} {getattr(options, name)}: 0 s or more")
    if options.output is not None and not options.output.parent.is_dir():
        raise UsageError(f"--output {options.output}: no such folder")
    trusted = signing.trusted_keys(options.trusted_key)
    for path in map(models.resolve, options.artifact or [None]):
        artifact = open_artifact(path, trusted, options.allow_unsigned)
        artifact.check_target()
        for threads in options.threads or [min(artifact.manifest.target.threads, len(cores))]:
            if not 1 <= threads <= len(cores):
                raise UsageError(f"--threads {threads}: from 1 to {len(cores)}, the cores in use")
            yield Plan(
                artifact,
                Task(
                    str(path),
                    tuple(str(key) for key in options.trusted_key),
                    options.allow_unsigned,
                    threads,
                    tuple(cores),
                    None if options.image is None else str(options.image),
                ),
            )


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
    cases = [
        _case(plan, worker, options.warmup, one, peak_rss_mb, board)
        for plan, worker, one, peak_rss_mb in zip(plans, workers, samples, peaks, strict=True)
    ]
    return cases, samples


def _wanted(options: argparse.Namespace, rounds: int) -> dict[str, float]:
    if options.runs is not None:
        return {"runs": -(-options.runs // rounds)}
    return {"seconds": options.duration / rounds}


def _case(
    plan: Plan,
    worker: Worker,
    warmup_s: float,
    samples: Sequence[tuple[float, ...]],
    peak_rss_mb: float,
    board: Board,
) -> Case:
    manifest, loaded = plan.artifact.manifest, worker.loaded
    stages = Stages.of(samples)
    rate = manifest.model.multiply_adds / 1e6 / stages.inference.p50_ms
    peak = find_peak(board, plan.task.cores, plan.task.threads)
    return Case(
        title=_title(plan, loaded),
        subject=Subject(
            manifest.name,
            manifest.version,
            plan.artifact.manifest_sha256,
            plan.artifact.trust,
            loaded.engine,
            manifest.model.precision,
            (manifest.input.height, manifest.input.width),
            manifest.model.multiply_adds,
            sum(one.size for one in manifest.files),
        ),
        threads=plan.task.threads,
        cores=plan.task.cores,
        image=loaded.image,
        image_size=loaded.image_size,
        warmup_s=warmup_s,
        load_ms=round(loaded.load_ms, 3),
        first_inference_ms=round(loaded.first_inference_ms, 3),
        stages=stages,
        gmadds_per_s=round(rate, 3),
        peak=peak,
        percent_of_peak=None if peak is None else round(100 * rate / peak.gmadds_per_s, 1),
        peak_rss_mb=round(peak_rss_mb, 1),
    )


def _title(plan: Plan, loaded: Loaded) -> str:
    height, width = loaded.image_size
    threads, cores = plan.task.threads, ",".join(map(str, plan.task.cores))
    return (
        f"{plan.artifact.manifest.name}, {threads} thread{'s' if threads > 1 else ''} on cores "
        f"{cores}, {loaded.image} {width}x{height}"
    )


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
    found = run.conditions
    heat = "no temperature sensor"
    if found.temperature_before_c is not None and found.temperature_after_c is not None:
        heat = f"{found.temperature_before_c:.0f} to {found.temperature_after_c:.0f} °C"
    sys.stdout.write(
        f"milliseconds; load {found.load_before:.2f} to {found.load_after:.2f}, others took "
        f"{found.busy_percent:.0f} % before; {heat}\n"
    )


def _threads(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: such as 2, or 1,2,4") from error
    return list(dict.fromkeys(found))


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(prog="python -m bench latency", description=__doc__)
    parse.add_argument("artifact", type=Path, nargs="*", help="folders, or bundled ones by name")
    parse.add_argument(
        "--image", type=Path, metavar="FILE", help="a photograph; default: the artifact's golden"
    )
    parse.add_argument("--threads", type=_threads, metavar="N[,N]", help="default: the artifact's")
    parse.add_argument("--cores", metavar="big|little|LIST", help="default: all of this process")
    parse.add_argument("--warmup", type=float, default=1.0, metavar="S", help="default: 1")
    many = parse.add_mutually_exclusive_group()
    many.add_argument("--runs", type=int, metavar="N", help="timed runs of each case")
    many.add_argument(
        "--duration", type=float, default=_DURATION_S, metavar="S", help="of each case; default: 10"
    )
    parse.add_argument(
        "--cooldown", type=float, default=0.0, metavar="S", help="wait so long for a cool board"
    )
    parse.add_argument("--force", action="store_true", help="on a busy or hot machine too")
    parse.add_argument("--trusted-key", type=Path, action="append", default=[], metavar="FILE")
    parse.add_argument("--allow-unsigned", action="store_true")
    parse.add_argument("--output", type=Path, metavar="JSON", help="samples go beside it as CSV")
    parse.add_argument("--json", action="store_true", help="print the run as JSON")
    return parse
