"""One training from a fresh network to a checkpoint; killed on the way, it can go on."""

import csv
import hashlib
import io
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from edge_vessel.atomic import write_file
from edge_vessel.atomic_folder import make_folder
from edge_vessel.errors import UsageError
from train.data.octa_split import split
from train.data.octa_synth import Eyes
from train.git import git_revision
from train.models.checkpoint import Checkpoint, load_checkpoint, save_slim
from train.models.ipn_v2_plus import IPNV2Plus
from train.octa.descent import Descent, Step
from train.octa.progress import Progress, load_progress, save_progress
from train.octa.settings import Settings
from train.octa.training import (
    images_of,
    make_network,
    on_patches,
    on_whole_planes,
    take_first_stage,
)


@dataclass(frozen=True)
class Run:
    """What is trained, on what, and where to.

    Attributes:
        output: folder of `last.ckpt`, `curve.csv` and, until they are there, `progress.ckpt`.
        first_stage: checkpoint of the IPN-V2 that an IPN-V2+ begins with.
        resume: go on from the folder's progress.
        save_every: steps between two of it.
    """

    settings: Settings
    eyes: Eyes
    output: Path
    seed: int = 0
    first_stage: Path | None = None
    resume: bool = False
    save_every: int = 50


def fit(run: Run, shown: Callable[[Descent], Iterable[Step]]) -> str:
    """Trains, and says in one line what came out. `shown` passes the steps of a stage on.

    Raises:
        UsageError: the settings do not fit the eyes, or the first stage the settings; the folder
            holds a run that is not to be resumed, none that is, or one that began otherwise.
        DeviceError: the disk; what was written before stays, for `resume`.
    """
    settings, eyes = run.settings, run.eyes
    torch.manual_seed(run.seed)
    network = make_network(settings, images_of(eyes, settings))
    if run.first_stage is not None and not isinstance(network, IPNV2Plus):
        raise UsageError(f"--first-stage: {settings.model} has one stage")
    first = None if run.first_stage is None else load_checkpoint(run.first_stage)
    places, _ = split(len(eyes.labels), settings.split_seed)
    identity = _identity(run, [eyes.record.ids[one] for one in places])
    last, path = run.output / "last.ckpt", run.output / "progress.ckpt"
    _check_folder(last, path, run.resume)
    stages: list[Callable[..., Descent]] = [] if first else [on_patches]
    if isinstance(network, IPNV2Plus) and settings.whole_steps:
        stages.append(on_whole_planes)
    if run.resume:
        start = load_progress(path, identity)
        network.load_state_dict(start.network)
    else:
        start = Progress(identity, network.state_dict(), 0, None, [], 0.0, 0.0)
        if first is not None:
            take_first_stage(network, first, identity["training_eyes"])
    make_folder(run.output)
    steps = start.steps
    began = time.monotonic() - start.seconds
    processor = time.process_time() - start.processor_seconds
    for stage in range(start.stage, len(stages)):
        descent = stages[stage](network, eyes, places, settings, run.seed)
        if stage == start.stage and start.descent is not None:
            descent.load_state_dict(start.descent)
        for step in shown(descent):
            steps.append(step)
            if step.number % run.save_every == 0:
                state = network.state_dict(), stage, descent.state_dict(), steps
                used = time.monotonic() - began, time.process_time() - processor
                save_progress(path, Progress(identity, *state, *used))
    record = {
        **identity,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "processor_minutes": round((time.process_time() - processor) / 60, 1),
        "git_revision": git_revision(),
    }
    write_file(run.output / "curve.csv", _curve(steps))
    save_slim(last, Checkpoint(settings.model, network.eval(), settings.model_options, record))
    path.unlink(missing_ok=True)
    return f"{last}: {len(steps)} steps, {record['minutes']} min"


def _identity(run: Run, training_eyes: list[str]) -> dict[str, Any]:
    """What decides how the weights move: a run that goes on has to be the same in all of it."""
    first = run.first_stage
    return {
        "data": "octa_synth",
        "synthetic": True,
        "seed": run.seed,
        "settings": asdict(run.settings),
        "rendering": asdict(run.eyes.record),
        "training_eyes": training_eyes,
        "first_stage": None if first is None else first.parent.name,
        "first_stage_sha256": first and hashlib.sha256(first.read_bytes()).hexdigest(),
    }


def _check_folder(last: Path, progress: Path, resume: bool) -> None:
    if last.exists():
        raise UsageError(f"{last} exists: the run is done; name another --output")
    if progress.exists() and not resume:
        raise UsageError(f"{progress} exists: continue it with --resume, or name another --output")


def _curve(steps: Sequence[Step]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("stage", "step", "loss", "seconds"))
    writer.writerows((one.stage, one.number, f"{one.loss:.5f}", one.seconds) for one in steps)
    return text.getvalue().encode()
