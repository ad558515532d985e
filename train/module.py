"""The training step: augmentation, loss, optimiser, and Dice on the validation images."""

from math import inf
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import LRSchedulerTypeUnion, OptimizerLRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics.classification import BinaryF1Score

from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import OFFSET, SCALE
from train import encoder_weights, losses
from train.augmentation import on_batches
from train.models import create
from train.models.checkpoint import load_checkpoint
from train.run_record import differences, identity, without_gone
from train.schedules import schedule
from train.seed import run_seed

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


class SegmentationModule(L.LightningModule):
    """A network of `train.models` in training.

    Args:
        model: a name of `train.models`.
        model_options: arguments of its class, such as DropBlock's `keep_rate`.
        encoder_weights: a file of ImageNet weights with torchvision's key names, "torchvision" to
            download torchvision's own, or none to start from scratch.
        start_from: a checkpoint of the same network to start from.
        loss: a name of `train.losses`.
        augmentation: a name of `train.augmentation.BATCH_AUGMENTATIONS`.
        optimiser: "adamw" or "adam".
        learning_rate: at the start.
        weight_decay: of the optimiser.
        schedule: a name of `train.schedules`.
        cycles: of the schedule "cyclical".
    """

    def __init__(
        self,
        model: str = "m2unet",
        model_options: dict[str, int | float | list[int]] | None = None,
        encoder_weights: str | None = None,
        start_from: str | None = None,
        loss: str = "bce_jaccard",
        augmentation: str = "paper",
        optimiser: str = "adamw",
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        schedule: str = "cosine",
        cycles: int = 20,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.network = create(model, **(model_options or {})).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = losses.find(loss)
        self.augmentation = on_batches(augmentation)
        self.validation_dice = BinaryF1Score()
        if optimiser not in OPTIMISERS:
            known = ", ".join(OPTIMISERS)
            raise UsageError(f"unknown optimiser {optimiser!r}; known: {known}")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises UsageError for a run of another kind: --resume continues, it does not change."""
        before = without_gone(checkpoint.get("run") or {})
        if changed := differences(before, identity(self.trainer, self)):
            raise UsageError(
                f"--resume: the run began otherwise: {'; '.join(changed)}; start another with "
                "--output and --model.start_from"
            )

    def on_fit_start(self) -> None:
        if self.trainer.ckpt_path is not None:
            return
        if self.hparams["encoder_weights"]:
            encoder_weights.load_into(self.network, self.hparams["encoder_weights"])
        if self.hparams["start_from"]:
            self.network.load_state_dict(self._start().state_dict())

    def _start(self) -> torch.nn.Module:
        found = load_checkpoint(Path(self.hparams["start_from"]))
        if found.name != self.hparams["model"]:
            raise UsageError(
                f"{self.hparams['start_from']}: holds {found.name}, not {self.hparams['model']}"
            )
        return found.network

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        # One seed a batch and device, so that a resumed run goes on as an unbroken one does.
        place = (self.current_epoch, batch_idx)
        mixed = np.random.SeedSequence((run_seed(), self.global_rank, *place))
        torch.manual_seed(int(mixed.generate_state(1, np.uint64)[0] >> 1))

    def forward(self, image: Tensor) -> Tensor:
        """image (N, 3, H, W) float32 in [0, 1] -> logits (N, 1, H, W)."""
        logits: Tensor = self.network(_scaled(image))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        image, label = batch
        with torch.autocast(self.device.type, enabled=False):
            image, label = self.augmentation(image.float() / 255.0, label.float() / 255.0)
        image = _scaled(image)
        stages = getattr(self.network, "training_logits", lambda x: (self.network(x),))(image)
        loss = torch.stack([self.loss(logits, label) for logits in stages]).sum()
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        image, label = batch
        logits, label = self(image.float() / 255.0), label.float() / 255.0
        self.validation_dice(torch.sigmoid(logits), label.int())
        self.log("val_loss", self.loss(logits, label), sync_dist=True)
        self.log("val_dice", self.validation_dice, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimiser = OPTIMISERS[self.hparams["optimiser"]](
            self.network.parameters(),
            lr=self.hparams["learning_rate"],
            weight_decay=self.hparams["weight_decay"],
        )
        steps = self.trainer.estimated_stepping_batches
        if not 0 < steps < inf:
            raise UsageError(
                f"--trainer.max_epochs {self.trainer.max_epochs}: 1 or more, so that the learning "
                "rate knows the end"
            )
        found = schedule(self.hparams["schedule"], optimiser, int(steps), self.hparams["cycles"])
        return {"optimizer": optimiser, "lr_scheduler": found}  # type: ignore[typeddict-item]

    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any | None) -> None:
        """Lightning's, but for "plateau": that one moves where the epoch's checkpoint follows."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def on_validation_end(self) -> None:
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau) and not self.trainer.sanity_checking:
            scheduler.step(float(self.trainer.callback_metrics["val_loss"]))


def _scaled(image: Tensor) -> Tensor:
    """What the network sees of an image in [0, 1]."""
    scaled: Tensor = image * (255.0 * SCALE) + OFFSET
    return scaled.contiguous(memory_format=torch.channels_last)
