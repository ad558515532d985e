"""Networks out of checkpoints: Lightning's own, or the slim ones of `train/weights`."""

import argparse
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edge_vessel.atomic import write_file
from edge_vessel.errors import UsageError
from train.tensor_file import load_tensors

_PREFIX = "network."
_CHECKPOINT = "a checkpoint of `train fit`"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says of itself, and its network in evaluation mode.

    `options` are the arguments of the network's class; `run` tells the training apart from others:
    data, seed, epochs, git revision (`train.run_record`), empty in files older than it.
    """

    name: str
    network: nn.Module
    options: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(f"{path}: no such checkpoint")
    content: dict[str, Any] = load_tensors(path, _CHECKPOINT)
    try:
        content["state_dict"], content["hyper_parameters"]["model"]
    except (KeyError, TypeError, IndexError) as error:
        raise UsageError(f"{path}: not {_CHECKPOINT}: it holds something else") from error
    return content


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint; runs no code out of it.

    Raises:
        UsageError: the file is missing, is no checkpoint, or does not fit its network.
    """
    from train.models import create

    content = _read(path)
    settings = content["hyper_parameters"]
    name, options = str(settings["model"]), dict(settings.get("model_options") or {})
    network = create(name, **options)
    weights = {
        key.removeprefix(_PREFIX): value
        for key, value in content["state_dict"].items()
        if key.startswith(_PREFIX)
    }
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UsageError(f"{path}: does not fit {name}: {str(error).splitlines()[-1]}") from error
    return Checkpoint(name, network.eval(), options, dict(content.get("run") or {}))


def load_network(path: Path) -> tuple[str, nn.Module]:
    """The name and the network, in evaluation mode, of a checkpoint.

    Raises:
        UsageError: as `load_checkpoint`.
    """
    checkpoint = load_checkpoint(path)
    return checkpoint.name, checkpoint.network


def save_slim(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint without optimiser and curves: what `load_checkpoint` needs, no more."""
    weights = {_PREFIX + key: value for key, value in checkpoint.network.state_dict().items()}
    settings = {"model": checkpoint.name, "model_options": checkpoint.options}
    content = io.BytesIO()
    torch.save(
        {"state_dict": weights, "hyper_parameters": settings, "run": checkpoint.run}, content
    )
    write_file(path, content.getvalue())


def slim(arguments: list[str]) -> None:
    """`python -m train slim CHECKPOINT -o FILE`.

    Raises:
        UsageError: it is no checkpoint.
    """
    parse = argparse.ArgumentParser(prog="python -m train slim", description=save_slim.__doc__)
    parse.add_argument("checkpoint", type=Path)
    parse.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    options = parse.parse_args(arguments)
    save_slim(options.output, load_checkpoint(options.checkpoint))
