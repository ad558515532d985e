"""The training step: augmentation, loss, optimiser, and Dice on the validation images."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torchmetrics.classification import BinaryF1Score

from edge_vessel.preprocessing import OFFSET, SCALE
from train import encoder_weights
from train.augmentation import PaperAugmentation
from train.losses import bce_jaccard
from train.models import create
from train.seed import run_seed


class SegmentationModule(L.LightningModule):
    """A network of `train.models` with the paper's loss and augmentations.

    Args:
        model: a name of `train.models`.
        encoder_weights: a file of ImageNet weights with torchvision's key names, "torchvision" to
            download torchvision's own, or none to start from scratch.
        learning_rate: of AdamW at the start; it falls to zero along a half cosine.
        weight_decay: of AdamW.
        jaccard_weight: the share of 1 - J in the loss.
    """

    def __init__(
        self,
        model: str = "m2unet",
        encoder_weights: str | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        jaccard_weight: float = 0.3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.network = create(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.augmentation = PaperAugmentation()
        self.validation_dice = BinaryF1Score()

    def on_fit_start(self) -> None:
        source = self.hparams["encoder_weights"]
        if source and self.trainer.ckpt_path is None:
            encoder_weights.load_into(self.network, source)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        # One seed a step and device, so that a resumed run goes on as an unbroken one does.
        torch.manual_seed((run_seed() << 40) + (self.global_rank << 32) + self.global_step)

    def forward(self, image: Tensor) -> Tensor:
        """image (N, 3, H, W) float32 in [0, 1] -> logits (N, 1, H, W)."""
        scaled = image * (255.0 * SCALE) + OFFSET
        logits: Tensor = self.network(scaled.contiguous(memory_format=torch.channels_last))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        image, label = batch
        with torch.autocast(self.device.type, enabled=False):
            image, label = self.augmentation(image.float() / 255.0, label.float())
        loss = bce_jaccard(self(image), label, self.hparams["jaccard_weight"])
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        image, label = batch
        logits = self(image.float() / 255.0)
        self.validation_dice(torch.sigmoid(logits), label)
        self.log("val_loss", bce_jaccard(logits, label, self.hparams["jaccard_weight"]))
        self.log("val_dice", self.validation_dice, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.hparams["learning_rate"],
            weight_decay=self.hparams["weight_decay"],
        )
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler: Any = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }
