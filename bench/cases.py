"""The cases of a measurement, of latency and of energy: flags, plans, and what is known after."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import flags, run_file
from bench.cores import choose_cores
from bench.peak import find_peak
from bench.run_file import Case, Stages
from bench.subject import Subject
from bench.worker import Task, Worker
from edge_vessel import models, signing
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.board import Board
from edge_vessel.command_line import add_trust_flags, path
from edge_vessel.engines import ENGINES
from edge_vessel.engines.cores import available
from edge_vessel.errors import UsageError


@dataclass(frozen=True)
class Plan:
    """One case before it is measured."""

    artifact: Artifact
    task: Task

    @property
    def key(self) -> tuple[str, str, int]:
        """That of its case but for the image, which is the same for all."""
        manifest = self.artifact.manifest
        return manifest.name, manifest.model.precision, self.task.threads

    @property
    def title(self) -> str:
        """The key in words, and the cores."""
        name, precision, threads = self.key
        cores = ",".join(map(str, self.task.cores))
        return f"{name} {precision}, {threads} thread{'s' if threads > 1 else ''} on cores {cores}"


def add_flags(parse: argparse.ArgumentParser) -> None:
    """Which cases, on which cores, trusted how, under which conditions, written where."""
    parse.add_argument("artifact", type=path, nargs="*", help="folders, or bundled ones by name")
    parse.add_argument(
        "--image",
        type=path,
        metavar="FILE",
        help="default: the artifact's golden one, of volumes mirrored to 304x304",
    )
    parse.add_argument("--threads", type=_threads, metavar="N[,N]", help="default: the artifact's")
    parse.add_argument("--cores", metavar="big|little|LIST", help="default: all of this process")
    parse.add_argument(
        "--engines", type=_engines, default=list(ENGINES), metavar="A,B",
        help=f"only artifacts of these, of {','.join(ENGINES)}; for other engines: bench peers",
    )  # fmt: skip
    parse.add_argument("--warmup", type=flags.seconds, default=1.0, metavar="S", help="default: 1")
    parse.add_argument(
        "--cooldown", type=flags.seconds, default=0.0, metavar="S",
        help="wait so long for a cool board",
    )  # fmt: skip
    parse.add_argument("--force", action="store_true", help="on a busy or hot machine too")
    add_trust_flags(parse)
    parse.add_argument(
        "--output", type=flags.output, metavar="JSON", help="samples go beside it as CSV"
    )
    parse.add_argument("--json", action="store_true", help="print the run as JSON")


def plan(options: argparse.Namespace, board: Board) -> list[Plan]:
    """Every artifact with every number of threads, on the same cores.

    Raises:
        UsageError: a flag of `add_flags` has a wrong value, or a case would stand twice.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
    """
    plans = list(_plans(options, cores_in_use(options, board)))
    if not plans:
        raise UsageError(
            f"--engines {','.join(options.engines)}: none of these artifacts is theirs"
        )
    run_file.refuse_twins("this run", [(one.key, one.title) for one in plans])
    return plans


def cores_in_use(options: argparse.Namespace, board: Board) -> list[int]:
    """Those of `--cores`, which are as many as any of `--threads` asks for.

    Raises:
        UsageError: they are not, or are not there.
    """
    cores = choose_cores(options.cores, board, available())
    for threads in options.threads or []:
        if not 1 <= threads <= len(cores):
            raise UsageError(f"--threads {threads}: from 1 to {len(cores)}, the cores in use")
    return cores


def _plans(options: argparse.Namespace, cores: Sequence[int]) -> Iterator[Plan]:
    trusted = signing.trusted_keys(options.trusted_key)
    for folder in map(models.resolve, options.artifact or [None]):
        artifact = open_artifact(folder, trusted, options.allow_unsigned)
        if artifact.manifest.engine.name not in options.engines:
            continue
        artifact.check_target()
        for threads in options.threads or [min(artifact.manifest.target.threads, len(cores))]:
            yield Plan(
                artifact,
                Task(
                    str(folder),
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
    rate = manifest.model.multiply_adds * loaded.patches / 1e6 / stages.inference.p50_ms
    height, width = loaded.image_size
    return Case(
        title=f"{plan.title}, {loaded.image} {width}x{height}",
        subject=Subject.of(plan.artifact, loaded.engine),
        threads=plan.task.threads,
        cores=plan.task.cores,
        image=loaded.image,
        image_size=loaded.image_size,
        warmup_s=warmup_s,
        load_ms=round(loaded.load_ms, 3),
        first_inference_ms=round(loaded.first_inference_ms, 3),
        stages=stages,
        gmadds_per_s=round(rate, 3),
        peak=find_peak(board, plan.task.cores, plan.task.threads, manifest.model.precision, rate),
        peak_rss_mb=round(peak_rss_mb, 1),
    )


def _threads(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: such as 2, or 1,2,4") from error
    return list(dict.fromkeys(found))


def _engines(text: str) -> list[str]:
    found = list(dict.fromkeys(text.split(",")))
    if unknown := [name for name in found if name not in ENGINES]:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r}: one or more of {','.join(ENGINES)}; for others: bench peers"
        )
    return found
