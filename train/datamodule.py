"""Photographs in memory, split into training and validation."""

from pathlib import Path

import cv2
import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from edge_vessel.errors import UsageError
from train import data as registry
from train.augmentation.offline import enlarge
from train.crops import CropOptions, RandomCrops
from train.data.dataset import DataSet, Record, Sample, Window, load, split_sha256
from train.data.root import data_root
from train.predict import field_of_view_px
from train.sampler import EpochShuffle
from train.seed import run_seed
from train.soft_labels import SoftLabels, read_record, softened

Item = tuple[Tensor, Tensor]


def split_validation(
    records: list[Record], count: int, seed: int
) -> tuple[list[Record], list[Record]]:
    """Takes `count` records out of the training set, the same ones for the same seed."""
    chosen = set(np.random.default_rng(seed).permutation(len(records))[:count].tolist())
    fit = [record for index, record in enumerate(records) if index not in chosen]
    return fit, [record for index, record in enumerate(records) if index in chosen]


class InMemory(Dataset[Item]):
    """Items: image (3, H, W) uint8 RGB, label (1, H, W) uint8, 255 for vessel."""

    def __init__(self, samples: list[Sample]) -> None:
        self.images = [torch.from_numpy(s.image.transpose(2, 0, 1).copy()) for s in samples]
        self.labels = [torch.from_numpy(s.target[None].copy()) for s in samples]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Item:
        index %= len(self)  # of `EpochShuffle`: the epoch is in it too
        return self.images[index], self.labels[index]


class FundusDataModule(L.LightningDataModule):
    """One or several data sets, whole windows of their protocols or random crops.

    Args:
        dataset: a name of `train.data`, or several joined by "+".
        root: the folder that holds the data sets; EDGE_VESSEL_DATA when empty.
        batch_size: photographs or crops a step.
        validation: photographs taken out of each training set.
        split_seed: chooses them.
        crops: cuts random crops; whole windows when empty.
        offline: adds the 24 variants of the SKU-Net paper to each photograph.
        workers: processes that cut and augment.
        soft_labels: the folder that `train soft-labels` filled for each data set; the labels
            alone when empty.
        soft_share: the ensemble's share of what is learnt, the labels' is the rest.
    """

    def __init__(
        self,
        dataset: str = "drive",
        root: str | None = None,
        batch_size: int = 2,
        validation: int = 2,
        split_seed: int = 0,
        crops: CropOptions | None = None,
        offline: bool = False,
        workers: int = 0,
        soft_labels: str | None = None,
        soft_share: float = 0.5,
    ) -> None:
        super().__init__()
        self.names = dataset.split("+")
        self.datasets = [registry.find(name) for name in self.names]
        self.root = root
        self.batch_size = batch_size
        self.validation = validation
        self.split_seed = split_seed
        self.crops = crops
        self.offline = offline
        self.workers = workers
        self.soft_labels = soft_labels
        self.soft_share = soft_share
        self.soft_records: dict[str, SoftLabels] = {}
        if batch_size < 1:
            raise UsageError(f"--data.batch_size {batch_size}: 1 or more")
        if validation < 0:
            raise UsageError(f"--data.validation {validation}: 0 or more")
        if workers < 0:
            raise UsageError(f"--data.workers {workers}: 0 or more")
        if not 0.0 <= soft_share <= 1.0:
            raise UsageError(f"--data.soft_share {soft_share}: a share, from 0 to 1")
        if soft_labels is not None and offline:
            raise UsageError("--data.offline with --data.soft_labels: one or the other")
        if crops is not None:
            crops.check()

    def setup(self, stage: str) -> None:
        root = data_root(self.root)
        self.fit_ids: dict[str, list[str]] = {}
        self.validation_ids: dict[str, list[str]] = {}
        self.sha256 = {one.name: split_sha256(one.records(root, "train")) for one in self.datasets}
        groups, held_out = [], []
        for one in self.datasets:
            records = one.records(root, "train")
            if self.validation >= len(records):
                raise UsageError(
                    f"--data.validation {self.validation} leaves nothing of "
                    f"{len(records)} records of {one.name}"
                )
            fit, kept = split_validation(records, self.validation, self.split_seed)
            self.fit_ids[one.name] = [record.id for record in fit]
            self.validation_ids[one.name] = [record.id for record in kept]
            groups.append([sample.crop(one.window) for sample in self._to_fit(one, fit, root)])
            held_out.append(self._load(one, kept))
        self._fit = self._training(groups)
        diameter = None if self.crops is None else self.crops.watched_diameter_px
        self._validation = InMemory(
            [_for_watching(s, diameter) for group in held_out for s in group]
        )

    def _training(self, groups: list[list[Sample]]) -> InMemory | RandomCrops:
        if self.crops is not None:
            return RandomCrops(groups, self.crops, run_seed())
        samples = [sample for group in groups for sample in group]
        sizes = {sample.label.shape for sample in samples}
        if len(sizes) > 1:
            raise UsageError(
                f"--data.dataset {'+'.join(self.names)}: windows of several sizes; set --data.crops"
            )
        return InMemory(enlarge(samples) if self.offline else samples)

    def _to_fit(self, dataset: DataSet, records: list[Record], root: Path) -> list[Sample]:
        samples = [load(record) for record in records]
        if self.soft_labels is None:
            return samples
        folder = Path(self.soft_labels) / dataset.name
        self.soft_records[dataset.name] = read_record(folder, dataset, root)
        return [softened(sample, folder, self.soft_share) for sample in samples]

    def _load(self, dataset: DataSet, records: list[Record]) -> list[Sample]:
        return [load(record).crop(dataset.window) for record in records]

    def train_dataloader(self) -> DataLoader[Item]:
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        if len(self._fit) // world < self.batch_size:
            raise UsageError(
                f"--data.batch_size {self.batch_size}: more than the {len(self._fit) // world} "
                "items that a process has in an epoch"
            )
        return DataLoader(
            self._fit,
            self.batch_size,
            sampler=EpochShuffle(len(self._fit), run_seed(), rank, world),
            drop_last=True,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=_one_thread,
        )

    def val_dataloader(self) -> DataLoader[Item]:
        return DataLoader(self._validation, 1)


def _one_thread(_: int) -> None:
    """A worker is one of many: OpenCV's own threads would only get into their way."""
    cv2.setNumThreads(0)


_WATCHED_PX = 1088  # a larger photograph would hold up training


def _for_watching(sample: Sample, fov_diameter_px: float | None) -> Sample:
    """The photograph at the scale that the network is trained at: its field of view as wide as
    that of crops, and of what is larger than 1088 px then, the middle."""
    if fov_diameter_px is not None:
        sample = _scaled(sample, fov_diameter_px / field_of_view_px(sample))
    height, width = (min(side // 16 * 16, _WATCHED_PX) for side in sample.label.shape)
    rows, columns = sample.label.shape
    return sample.crop(Window((rows - height) // 2, (columns - width) // 2, height, width))


def _scaled(sample: Sample, scale: float) -> Sample:
    size = tuple(max(16, round(side * scale)) for side in sample.label.shape[::-1])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(sample.image, size, interpolation=how), np.uint8)
    label, fov = (
        cv2.resize(mask.astype(np.float32), size, interpolation=how) > 0.5
        for mask in (sample.label, sample.fov)
    )
    return Sample(sample.id, image, label, fov)
