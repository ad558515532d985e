"""What a training run writes about itself, for whoever has to defend its figures."""

import json
import platform
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from edge_vessel.atomic import write_file
from train.git import git_revision
from train.seed import run_seed


class RunRecord(Callback):
    """Writes `run.json` beside the checkpoints and the same record into each of them."""

    def __init__(self) -> None:
        self.record: dict[str, Any] = {}
        self._images = 0
        self._seconds = 0.0
        self._began = 0.0

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._began = time.monotonic()
        self.record = {
            "model": module.hparams["model"],
            "options": dict(module.hparams["model_options"] or {}),
            "data": "+".join(data.names),
            "fit": data.fit_ids,
            "validation": data.validation_ids,
            "data_sha256": data.sha256,
            "seed": run_seed(),
            "processes": trainer.world_size,
            "precision": str(trainer.precision),
            "torch": str(torch.__version__),
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, "
            f"{trainer.strategy.root_device.type}",
            "git_revision": git_revision(),
        }
        if trainer.is_global_zero:
            path = Path(trainer.default_root_dir) / "run.json"
            write_file(path, (json.dumps(self.record, indent=1) + "\n").encode())

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
