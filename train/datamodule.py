"""Photographs in memory, split into training and validation."""

from collections.abc import Iterator

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from edge_vessel.errors import UsageError
from train import data as registry
from train.data.dataset import Record, Sample, load
from train.data.root import data_root
from train.seed import run_seed


def split_validation(
    records: list[Record], count: int, seed: int
) -> tuple[list[Record], list[Record]]:
    """Takes `count` records out of the training set, the same ones for the same seed."""
    chosen = set(np.random.default_rng(seed).permutation(len(records))[:count].tolist())
    fit = [record for index, record in enumerate(records) if index not in chosen]
    return fit, [record for index, record in enumerate(records) if index in chosen]


class InMemory(Dataset[tuple[Tensor, Tensor]]):
    """Items: image (3, H, W) uint8 RGB, label (1, H, W) uint8 of 0 and 1."""

    def __init__(self, samples: list[Sample]) -> None:
        self.images = [torch.from_numpy(s.image.transpose(2, 0, 1).copy()) for s in samples]
        self.labels = [torch.from_numpy(s.label[None].astype(np.uint8)) for s in samples]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.labels[index]


class EpochShuffle(Sampler[int]):
    """A permutation that depends on the seed and the epoch alone, so that a resumed run sees the
    photographs in the order in which an unbroken one does. Lightning calls `set_epoch`."""

    def __init__(self, length: int, seed: int) -> None:
        self._length = length
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        return iter(random.permutation(self._length).tolist())


class FundusDataModule(L.LightningDataModule):
    """One data set, cropped to its protocol's window.

    Args:
        dataset: a name of `train.data`.
        root: the folder that holds the data sets; EDGE_VESSEL_DATA when empty.
        batch_size: photographs a step.
        validation: photographs taken out of the training set.
        split_seed: chooses them.
    """

    def __init__(
        self,
        dataset: str = "drive",
        root: str | None = None,
        batch_size: int = 2,
        validation: int = 2,
        split_seed: int = 0,
    ) -> None:
        super().__init__()
        self.dataset = registry.find(dataset)
        self.root = root
        self.batch_size = batch_size
        self.validation = validation
        self.split_seed = split_seed

    def setup(self, stage: str) -> None:
        records = self.dataset.records(data_root(self.root), "train")
        if self.validation >= len(records):
            raise UsageError(
                f"--data.validation {self.validation} leaves nothing of {len(records)} records"
            )
        fit, held_out = split_validation(records, self.validation, self.split_seed)
        self.fit_ids = [record.id for record in fit]
        self.validation_ids = [record.id for record in held_out]
        self._fit = self._load(fit)
        self._validation = self._load(held_out)

    def _load(self, records: list[Record]) -> InMemory:
        return InMemory([load(record).crop(self.dataset.window) for record in records])

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        order = EpochShuffle(len(self._fit), run_seed())
        return DataLoader(self._fit, self.batch_size, sampler=order, drop_last=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        return DataLoader(self._validation, 1)
