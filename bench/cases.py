"""The cases of a measurement, of latency and of energy: flags, plans, and what is known after."""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cores import choose_cores
from bench.peak import find_peak
from bench.run_file import Case, Stages, Subject
from bench.worker import Loaded, Task, Worker
from edge_vessel import models, signing
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.board import Board
from edge_vessel.engines.cores import available
from edge_vessel.errors import UsageError


@dataclass(frozen=True)
class Plan:
    """One case before it is measured."""

    artifact: Artifact
    task: Task


def add_flags(parse: argparse.ArgumentParser) -> None:
    """Which cases, on which cores, trusted how, under which conditions, written where."""
    parse.add_argument("artifact", type=Path, nargs="*", help="folders, or bundled ones by name")
    parse.add_argument(
        "--image", type=Path, metavar="FILE", help="a photograph; default: the artifact's golden"
    )
    parse.add_argument("--threads", type=_threads, metavar="N[,N]", help="default: the artifact's")
    parse.add_argument("--cores", metavar="big|little|LIST", help="default: all of this process")
    parse.add_argument("--warmup", type=float, default=1.0, metavar="S", help="default: 1")
    parse.add_argument(
        "--cooldown", type=float, default=0.0, metavar="S", help="wait so long for a cool board"
    )
    parse.add_argument("--force", action="store_true", help="on a busy or hot machine too")
    parse.add_argument("--trusted-key", type=Path, action="append", default=[], metavar="FILE")
    parse.add_argument("--allow-unsigned", action="store_true")
    parse.add_argument("--output", type=Path, metavar="JSON", help="samples go beside it as CSV")
    parse.add_argument("--json", action="store_true", help="print the run as JSON")


def check_seconds(name: str, value_s: float) -> None:
    """Raises UsageError for a time that cannot be waited for."""
    if not (math.isfinite(value_s) and value_s >= 0):
        raise UsageError(f"--{name} {value_s}: 0 s or more")


def plan(options: argparse.Namespace, board: Board) -> Iterator[Plan]:
    """Every artifact with every number of threads.

    Raises:
        UsageError: a flag of `add_flags` has a wrong value.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
    """
    cores = choose_cores(options.cores, board, available())
    for name in ("warmup", "cooldown"):
        check_seconds(name, getattr(options, name))
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


def case(
    plan: Plan,
    worker: Worker,
    warmup_s: float,
    samples: Sequence[tuple[float, ...]],
    peak_rss_mb: float,
    board: Board,
) -> Case:
    """What was measured of a plan.

    Args:
        plan: of it.
        worker: that has measured it.
        warmup_s: how long before the samples.
        samples: by `run_file.STAGES`, in milliseconds.
        peak_rss_mb: of the worker.
        board: for what its cores could do at most.
    """
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


def _threads(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: such as 2, or 1,2,4") from error
    return list(dict.fromkeys(found))
