"""Where a network comes from: a checkpoint with its evaluation, or somebody's ONNX file."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from compile.export import to_onnx
from compile.golden import onnx_predictor
from compile.onnx_import import load
from compile.rewrite import cost
from compile.size import Size
from edge_vessel.errors import UsageError
from edge_vessel.manifest import Metric, Model, Output
from train.models.checkpoint import load_network
from train.models.cost import multiply_adds, parameters
from train.predict import torch_predictor

_A_PRIORI = "a priori: best on the training set"
DEFAULT_DATASET = "drive"


@dataclass(frozen=True)
class Source:
    """A network before any rewrite.

    Attributes:
        stage: "torch" or "onnx file", what later stages are compared with.
        content: ONNX, `image` (1, 3, H, W) -> `probability` (1, 1, H, W).
        predict: (H, W, 3) uint8 -> probability (H, W), by the stage itself.
        dataset: whose test photographs parity is checked on.
    """

    stage: str
    content: bytes
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    dataset: str
    model: Model
    output: Output
    metrics: tuple[Metric, ...]


def from_checkpoint(path: Path, size: Size, evaluations: Sequence[Path]) -> Source:
    """A checkpoint of `train fit`; threshold and metrics come from its evaluations, the data set
    that parity is checked on from the first of them.

    Raises:
        UsageError: no such checkpoint, or a report that is missing, about another checkpoint or by
            another threshold than the first.
    """
    name, network = load_network(path)
    if not evaluations:
        raise UsageError(f"{path}: give the report of `train evaluate` with --evaluation")
    reports = [_read_report(one, path) for one in evaluations]
    report, threshold = reports[0], _threshold(reports[0])
    for other, file in zip(reports, evaluations, strict=True):
        if _threshold(other) != threshold:
            raise UsageError(
                f"{file}: its threshold is {_threshold(other)}, that of {evaluations[0]} is "
                f"{threshold}: an artifact has one; evaluate both by the same training sets"
            )
    return Source(
        "torch",
        to_onnx(network, size),
        torch_predictor(network),
        report["dataset"],
        Model(
            name,
            parameters(network),
            multiply_adds(network, *size),
            training_data=f"{_trained_on(report)} training",
            split_sha256=report["training_split_sha256"],
        ),
        Output(threshold, _A_PRIORI),
        tuple(metric for one in reports for metric in _metrics(one)),
    )


def _threshold(report: dict[str, Any]) -> float:
    return next(
        float(row["threshold"])
        for row in report["rows"]
        if row["rule"] == _A_PRIORI and row["region"] == "full frame"
    )


def _metrics(report: dict[str, Any]) -> Iterator[Metric]:
    """Dice by the a priori threshold, and how wide the field of view was in the network."""
    diameter = (report.get("scaling") or {}).get("fov_diameter_px")
    scaled = "" if diameter is None else f" at {diameter:g} px"
    for row in report["rows"]:
        if row["rule"] == _A_PRIORI:
            data = f"{report['dataset']} test{scaled}, {row['region']}"
            if row["threshold"] != _threshold(report):  # not the artifact's
                data += f", threshold {row['threshold']:.2f}"
            dice = round(row["scores"]["dice"], 4)
            yield Metric("torch", data, f"dice {row['averaging']}", dice)


def from_onnx(path: Path, size: Size, threshold: float | None, logits: bool) -> Source:
    """An ONNX file; nothing is known of its training, and its threshold is the user's.

    Raises:
        UsageError: the file cannot be taken, or no threshold in (0, 1) was given.
    """
    content = load(path, size, add_sigmoid=logits)
    if threshold is None or not 0 < threshold < 1:
        raise UsageError(f"{path}: give the vessels' threshold, such as --threshold 0.5")
    model = onnx.load_from_string(content)
    weights = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer if tensor.dims)
    predict = onnx_predictor(content)
    probability = predict(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8))
    if probability.min() < 0 or probability.max() > 1:
        raise UsageError(f"{path}: gives logits, not probabilities: add --logits")
    return Source(
        "onnx file",
        content,
        predict,
        DEFAULT_DATASET,
        Model(path.stem, weights, cost(model).multiply_adds, "not stated", None),
        Output(threshold, "given by hand"),
        (),
    )


def _trained_on(report: dict[str, Any]) -> str:
    """The data sets of the checkpoint's own run; older checkpoints do not name them."""
    run = report.get("run") or {}
    return str(run.get("data") or report.get("trained_on") or report["dataset"])


def _read_report(path: Path, checkpoint: Path) -> dict[str, Any]:
    """The report of `train evaluate`, which has to be of this very checkpoint."""
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        report["rows"], report["dataset"], report["training_split_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a report of `train evaluate`: {error}") from error
    if report.get("checkpoint_sha256") != hashlib.sha256(checkpoint.read_bytes()).hexdigest():
        raise UsageError(f"{path}: is about another checkpoint than {checkpoint}: evaluate it")
    return report
