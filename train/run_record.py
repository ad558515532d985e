"""What a training run writes about itself, for whoever has to defend its figures."""

import hashlib
import json
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from edge_vessel.atomic import write_file
from train.datamodule import FundusDataModule
from train.git import git_revision
from train.models.checkpoint import load_checkpoint
from train.seed import run_seed

_OF_FILES = ("model", "model_options", "encoder_weights", "start_from")


class RunRecord(Callback):
    """Writes `run.json` beside the checkpoints and the same record into each of them."""

    def __init__(self) -> None:
        self.record: dict[str, Any] = {}
        self._images = 0
        self._seconds = 0.0
        self._began = 0.0
        self._files: list[dict[str, Any]] | None = None  # of the run that goes on

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self._began = time.monotonic()
        self.record = {
            **identity(trainer, module),
            "files": _files(module) if self._files is None else self._files,
            "taught_by": _teachers(trainer),
            "torch": str(torch.__version__),
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, "
            f"{trainer.strategy.root_device.type}",
            "git_revision": git_revision(),
        }
        if trainer.is_global_zero:
            path = Path(trainer.default_root_dir) / "run.json"
            write_file(path, (json.dumps(self.record, indent=1) + "\n").encode())

    def on_load_checkpoint(
        self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._files = (checkpoint.get("run") or {}).get("files")

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        self._images += len(batch[0]) * trainer.world_size

    def state_dict(self) -> dict[str, Any]:
        return {"images": self._images, "seconds": self._elapsed()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._images, self._seconds = state["images"], state["seconds"]

    def on_save_checkpoint(
        self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["run"] = {
            **self.record,
            "epochs": trainer.current_epoch + 1,
            "images_seen": self._images,
            "minutes": round(self._elapsed() / 60, 1),
        }

    def _elapsed(self) -> float:
        return self._seconds + (time.monotonic() - self._began if self._began else 0.0)


def identity(trainer: L.Trainer, module: L.LightningModule) -> dict[str, Any]:
    """What decides how the weights move: a run that goes on has to be the same in all of it."""
    data = _data(trainer)
    return {
        "model": module.hparams["model"],
        "options": dict(module.hparams["model_options"] or {}),
        "data": "+".join(data.names),
        "fit": data.fit_ids,
        "validation": data.validation_ids,
        "data_sha256": data.sha256,
        "soft_labels": {name: one.sha256 for name, one in data.soft_records.items()},
        "seed": run_seed(),
        "settings": _settings(module, data, trainer),
        "processes": trainer.world_size,
        "precision": str(trainer.precision),
    }


def _data(trainer: L.Trainer) -> FundusDataModule:
    found: FundusDataModule = trainer.datamodule  # type: ignore[attr-defined]
    return found


def without_gone(run: dict[str, Any]) -> dict[str, Any]:
    """A record of a release before, without the setting that there is no longer: the share of
    teachers beside every step, where the run had none."""
    if "settings" not in run or any(one["role"] == "teachers" for one in run.get("files") or ()):
        return run
    kept = {name: value for name, value in run["settings"].items() if name != "distillation"}
    return {**run, "settings": kept}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One text for each thing that is not as it was; what an older record lacks is not compared."""
    found = []
    for name, value in now.items():
        if name not in before:
            continue
        if isinstance(value, dict) and isinstance(before[name], dict):
            found += differences(before[name], value)
            gone = before[name].keys() - value.keys()
            found += [
                f"{one} was {_plain(before[name][one])}, is not given" for one in sorted(gone)
            ]
        elif _plain(before[name]) != _plain(value):
            found.append(f"{name} was {_plain(before[name])}, is {_plain(value)}")
    return found


def _plain(value: object) -> str:
    """The same for a list and a tuple."""
    return value if isinstance(value, str) else json.dumps(value, default=list)


def _settings(
    module: L.LightningModule, data: FundusDataModule, trainer: L.Trainer
) -> dict[str, Any]:
    """What decides how the weights move, beside the data and the seed."""
    chosen = {name: value for name, value in module.hparams.items() if name not in _OF_FILES}
    return {
        **{name: value for name, value in chosen.items() if not name.startswith("_")},
        "batch_size": data.batch_size,
        "crops": None if data.crops is None else asdict(data.crops),
        "offline": data.offline,
        "soft_share": data.soft_share,
        "max_epochs": trainer.max_epochs,
    }


def _teachers(trainer: L.Trainer) -> dict[str, Any]:
    """By data set; what they are of is in `identity`."""
    return {name: asdict(one) for name, one in _data(trainer).soft_records.items()}


def _files(module: L.LightningModule) -> list[dict[str, Any]]:
    """The weights that training began with, and how long those were trained."""
    found: list[dict[str, Any]] = []
    for role in ("encoder_weights", "start_from"):
        if not module.hparams[role]:
            continue
        path = Path(module.hparams[role])
        entry: dict[str, Any] = {"role": role, "file": path.name}
        if path.is_file():  # "torchvision" is a name
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        if role == "start_from":
            entry["run"] = load_checkpoint(path).run
        found.append(entry)
    return found
