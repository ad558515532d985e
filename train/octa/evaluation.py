"""One trained network on the test eyes."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from train.data.octa_split import split
from train.data.octa_synth import Eyes
from train.evaluation import conditions
from train.metrics import Prediction, best_threshold, mean, score
from train.models.checkpoint import Checkpoint
from train.octa.discontinuity import border_discontinuity
from train.octa.inference import predict, predict_tiled
from train.octa.settings import Settings
from train.octa.training import check_fit, images_of
from train.protocol import (
    A_POSTERIORI,
    A_PRIORI,
    FULL_FRAME,
    MEAN,
    POOLED,
    Counted,
    Kept,
    Row,
    centrelines,
    count,
    summed,
)

DATA = "synthetic volumes, rendered from the vessel graphs of OCTA_SYNTH"
_BORDER_EYES = 4  # of the test eyes: every border of each counts, hundreds of pixels long


@dataclass(frozen=True)
class Borders:
    """`discontinuity.border_discontinuity` at multiples of `tile_px`, mean over a few test eyes.

    Attributes:
        tiles: of the network's own logits, tiles side by side; of a network of two stages the
            first one's, "before".
        used: of the maps that are scored; of a network of two stages "after".
    """

    tile_px: int
    tiles: float
    used: float


@dataclass(frozen=True)
class OctaReport:
    """`kind` is always "measured"; `data` says of what. `run` is the checkpoint's record."""

    kind: str
    data: str
    model: str
    options: dict[str, Any]
    run: dict[str, Any]
    checkpoint: str
    checkpoint_sha256: str
    depth: int
    eyes: int
    rows: list[Row]
    borders: Borders
    torch: str
    machine: str
    git_revision: str
    created: str


def settings_of(path: Path, checkpoint: Checkpoint) -> Settings:
    """How the network was trained.

    Raises:
        UsageError: the checkpoint is not of `train octa fit`.
    """
    try:
        return Settings(**checkpoint.run["settings"])
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}: no checkpoint of `python -m train octa fit`") from error


def evaluate(
    path: Path,
    checkpoint: Checkpoint,
    eyes: Eyes,
    limit: int | None = None,
    progress: Callable[[Sequence[int]], Sequence[int]] = lambda places: places,
) -> tuple[OctaReport, list[Kept]]:
    """The report, and the maps of the test eyes, or of the first `limit` of them.

    Raises:
        UsageError: as `settings_of`; the network does not fit the eyes, was trained on others than
            those for training, or has diverged.
    """
    settings = settings_of(path, checkpoint)
    images = images_of(eyes, settings)
    check_fit(checkpoint.name, checkpoint.network, images)
    training, test = split(len(eyes.labels), settings.split_seed)
    if [eyes.record.ids[one] for one in training] != checkpoint.run.get("training_eyes"):
        raise UsageError(
            f"{path}: was trained on other eyes than those for training of this folder, so that "
            "its test eyes may be among them: evaluate it on the eyes that it was trained with"
        )
    test = test[:limit]
    maps = partial(predict, checkpoint.network, settings=settings)
    chosen = [_counted(eyes, one, maps(images[one]))[0] for one in _some(training, settings)]
    first = getattr(checkpoint.network, "local", checkpoint.network)
    found, jumps = [], []
    for place in progress(test):
        probability = maps(images[place])
        if len(jumps) < _BORDER_EYES:
            pair = (predict_tiled(first, images[place], settings.tile_px), probability)
            jumps.append([border_discontinuity(one, settings.tile_px) for one in pair])
        found.append(_counted(eyes, place, probability))
    counted, kept = [one for one, _ in found], [one for _, one in found]
    tiles, used = np.mean(jumps, axis=0).tolist()
    report = OctaReport(
        kind="measured",
        data=DATA,
        model=checkpoint.name,
        options=checkpoint.options,
        run=checkpoint.run,
        checkpoint=path.name,
        checkpoint_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        depth=1 if settings.input == "projection" else eyes.record.depth,
        eyes=len(test),
        rows=_rows(chosen, counted, kept),
        borders=Borders(settings.tile_px, tiles, used),
        **conditions(torch.device("cpu")),
    )
    return report, kept


def _some(training: Sequence[int], settings: Settings) -> Sequence[int]:
    return training[: settings.threshold_eyes]


def _counted(eyes: Eyes, place: int, probability: NDArray[np.float32]) -> tuple[Counted, Kept]:
    label = np.asarray(eyes.labels[place])
    name = eyes.record.ids[place]
    return count(Prediction(name, probability, label, np.ones_like(label)))


def _rows(chosen: Sequence[Counted], test: Sequence[Counted], kept: Sequence[Kept]) -> list[Row]:
    histograms = [one.regions[FULL_FRAME] for one in test]
    every = summed(test, FULL_FRAME)
    found = []
    for rule, of in ((A_PRIORI, summed(chosen, FULL_FRAME)), (A_POSTERIORI, every)):
        threshold = best_threshold(of)
        at = {(FULL_FRAME, rule): threshold}
        cldice = [next(iter(centrelines(one, at).values())) for one in kept]
        found += [
            Row(rule, threshold, FULL_FRAME, POOLED, score(every, threshold)),
            Row(rule, threshold, FULL_FRAME, MEAN, mean(histograms, threshold, cldice)),
        ]
    return found
