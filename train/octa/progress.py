"""A training between two steps, on disk, so that a killed one can go on."""

import io
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edge_vessel.atomic import write_file
from edge_vessel.errors import UsageError
from train.octa.descent import Step


@dataclass(frozen=True)
class Progress:
    """All that decides the next step, and what the record of the run will need.

    Attributes:
        identity: what the run is, see `train.octa.fit`.
        network: its weights and statistics.
        stage: how many stages are done.
        descent: of `Descent.state_dict`, of the stage after those; None where it has not begun.
        steps: of all stages so far.
        seconds, processor_seconds: so far.
    """

    identity: dict[str, Any]
    network: dict[str, Tensor]
    stage: int
    descent: dict[str, Any] | None
    steps: list[Step]
    seconds: float
    processor_seconds: float


def save_progress(path: Path, progress: Progress) -> None:
    """Replaces the file by a whole one.

    Raises:
        DeviceError: the disk is full.
    """
    content = io.BytesIO()
    steps = [astuple(one) for one in progress.steps]
    torch.save({**vars(progress), "steps": steps}, content)
    write_file(path, content.getvalue())


def load_progress(path: Path, identity: dict[str, Any]) -> Progress:
    """Reads the progress of a run that has to be the same one; runs no code out of the file.

    Raises:
        UsageError: the file is missing or is none, or the run began otherwise.
    """
    if not path.is_file():
        raise UsageError(f"{path}: nothing to resume: start without --resume")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = Progress(**{**content, "steps": [Step(*one) for one in content["steps"]]})
        changed = _changes(found.identity, identity)
    except Exception as error:
        raise UsageError(
            f"{path}: damaged, or not the progress of `train octa fit`: remove it, start without "
            "--resume"
        ) from error
    if changed:
        raise UsageError(
            f"--resume: {path.parent} began otherwise: {'; '.join(changed)}; start another with "
            "--output"
        )
    return found


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Seed and settings by value; the rest by name, as its lists are long."""
    was, values = ({"seed": one["seed"], **one["settings"]} for one in (before, now))
    found = [
        f"{name} was {was[name]}, is {values[name]}" for name in was if was[name] != values[name]
    ]
    rest = now.keys() - {"seed", "settings"}
    return found + [f"another {name}" for name in sorted(rest) if before[name] != now[name]]
