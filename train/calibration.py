"""`python -m train calibrate`: probabilities that mean what they say.

A temperature T divides the logits: 0.8 then stands for 8 vessel pixels of 10. It is fitted on
training photographs, which the network knows too well: it looks surer there than it has a right to,
so that T comes out nearer to 1 than held-out photographs would have it. The test set chooses
nothing.

Source: Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from edge_vessel.errors import UsageError
from train import data as registry
from train.data.root import data_root
from train.histogram import CALIBRATION_BINS, LOGITS, Histogram
from train.models.checkpoint import Checkpoint, load_checkpoint, save_slim
from train.predict import predictions, torch_predictor
from train.protocol import FIELD_OF_VIEW, count

_LIMITS = (0.05, 20.0)


@dataclass(frozen=True)
class ReliabilityBin:
    """Pixels whose probability lies in one fifteenth of [0, 1]."""

    mean_probability: float
    observed: float  # share of vessel among them
    count: int


@dataclass(frozen=True)
class Reliability:
    """Expected calibration error, negative log-likelihood in nats a pixel, and the diagram."""

    ece: float
    nll: float
    bins: tuple[ReliabilityBin, ...]  # the empty ones are left out


@dataclass(frozen=True)
class Calibration:
    """Of the test photographs, inside the field of view, all pixels as one set."""

    temperature: float
    fitted_on: str
    before: Reliability
    after: Reliability


def reliability(histogram: Histogram, temperature: float = 1.0) -> Reliability:
    """How far probabilities, their logits divided by the temperature, are from frequencies.

    A pixel's probability is the middle of its bin: 5e-5 off at most.
    """
    logits = LOGITS / temperature
    probability = 1.0 / (1.0 + np.exp(-logits))
    pixels = histogram.vessel + histogram.background
    group = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    total, confidence, vessel = (
        np.bincount(group, weights=weights, minlength=CALIBRATION_BINS)
        for weights in (pixels, pixels * probability, histogram.vessel)
    )
    gaps = np.abs(confidence - vessel).sum()
    return Reliability(
        ece=float(gaps / max(1.0, total.sum())),
        nll=_nll(histogram, logits),
        bins=tuple(
            ReliabilityBin(float(p / n), float(y / n), int(n))
            for p, y, n in zip(confidence, vessel, total, strict=True)
            if n > 0
        ),
    )


def fit_temperature(histogram: Histogram) -> float:
    """The temperature in [0.05, 20] with the lowest negative log-likelihood."""
    found = minimize_scalar(
        lambda log_t: _nll(histogram, LOGITS / np.exp(log_t)),
        bounds=tuple(np.log(_LIMITS)),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return float(np.exp(found.x))


def _nll(histogram: Histogram, logits: NDArray[np.float64]) -> float:
    loss = histogram.vessel * np.logaddexp(0.0, -logits)
    loss = loss + histogram.background * np.logaddexp(0.0, logits)
    total = float(histogram.vessel.sum() + histogram.background.sum())
    return float(loss.sum()) / total if total else 0.0


def calibrated(checkpoint: Checkpoint, temperature: float) -> Checkpoint:
    """The checkpoint with 1/T in its network's head, whose scale and shift are the logits' own.

    Its run remembers T, times what an earlier calibration put there.
    """
    head = checkpoint.network.head
    with torch.no_grad():
        for values in (head.weight, head.bias):
            if values is not None:
                values.div_(temperature)
    before = float(checkpoint.run.get("temperature", 1.0))
    return replace(checkpoint, run={**checkpoint.run, "temperature": before * temperature})


def calibrate(arguments: list[str]) -> None:
    """Fits, folds, writes; several data sets weigh the same.

    Raises:
        UsageError: no such checkpoint or data set.
    """
    parse = argparse.ArgumentParser(prog="python -m train calibrate", description=__doc__)
    parse.add_argument("checkpoint", type=Path)
    parse.add_argument("--dataset", action="append", required=True, help="may be repeated")
    parse.add_argument("--data", metavar="DIR", help="the folder that holds the data sets")
    parse.add_argument(
        "--fov-diameter", type=float, metavar="PX", help="of photographs in the network"
    )
    parse.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    options = parse.parse_args(arguments)
    if options.fov_diameter is not None and not options.fov_diameter > 0:
        raise UsageError(f"--fov-diameter {options.fov_diameter}: more than 0 px")
    root = data_root(options.data)
    datasets = [registry.find(name) for name in options.dataset]
    checkpoint = load_checkpoint(options.checkpoint)
    predict = torch_predictor(checkpoint.network)
    parts = []
    for dataset in datasets:
        steps = predictions(predict, dataset, root, "train", options.fov_diameter)
        parts.append(reduce(add, (count(one)[0].regions[FIELD_OF_VIEW] for one in steps)).weighed())
    histogram = reduce(add, parts)
    temperature = fit_temperature(histogram)
    before, after = reliability(histogram), reliability(histogram, temperature)
    found = calibrated(checkpoint, temperature)
    found = replace(found, run={**found.run, "calibrated_on": options.dataset})
    save_slim(options.output, found)
    sys.stdout.write(
        f"{options.output}: temperature {temperature:.3f}; on training photographs ECE "
        f"{before.ece:.4f} to {after.ece:.4f}, NLL {before.nll:.4f} to {after.nll:.4f}\n"
    )
