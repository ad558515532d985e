"""What a checkpoint of OCTA and its evaluations say of it."""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compile.size import square
from edge_vessel.errors import UsageError
from edge_vessel.manifest import Metric
from edge_vessel.octa.description import FAZ, VESSEL, Channel, OctaInput, OctaOutput
from edge_vessel.octa.volume import NAMES
from edge_vessel.preprocessing import OFFSET, SCALE
from train.models.checkpoint import Checkpoint

_A_PRIORI = "a priori: best on the training set"
_CLASSES = (VESSEL, FAZ)
_OVERLAP = 0.25  # where a checkpoint says nothing


@dataclass(frozen=True)
class Evaluated:
    """What evaluations say of a checkpoint."""

    output: OctaOutput
    training_data: str
    metrics: tuple[Metric, ...]


def form_of(options: argparse.Namespace, checkpoint: Checkpoint) -> OctaInput:
    """Patches as they were evaluated; `--size` goes before.

    Raises:
        UsageError: the network sees projections, or more than patches.
    """
    network, settings = checkpoint.network, checkpoint.run.get("settings") or {}
    channels, depth = int(network.channels), int(network.depth)  # type: ignore[arg-type]
    if channels != len(NAMES) or settings.get("input", "volume") != "volume":
        raise UsageError(f"{options.checkpoint}: takes projections, which no artifact does")
    if hasattr(network, "whole"):
        raise UsageError(
            f"{options.checkpoint}: {checkpoint.name} sees the whole plane at its second stage, "
            "an artifact sees patches: compile ipn_v2 or asr_ipn_v2"
        )
    size = options.size
    if size is None and "window_px" not in settings:
        raise UsageError(f"{options.checkpoint}: names no window: give the patch with --size")
    size = size or square(int(settings["window_px"]))
    overlap = float(settings.get("overlap", _OVERLAP))
    return OctaInput(
        (Channel("OCT", SCALE, OFFSET), Channel("OCTA", SCALE, OFFSET)),
        depth,
        size.height,
        size.width,
        overlap,
        "gaussian" if overlap else "constant",
    )


def evaluated_of(options: argparse.Namespace, classes: int) -> Evaluated:
    """Threshold and metrics, from reports of `train octa evaluate` or by hand.

    Raises:
        UsageError: a report is missing or about another checkpoint, or the classes are unknown.
    """
    if classes > len(_CLASSES):
        raise UsageError(f"{options.checkpoint}: {classes} classes; known: {', '.join(_CLASSES)}")
    names = _CLASSES[:classes]
    if not options.evaluation:
        if options.threshold is None or not 0 < options.threshold < 1:
            raise UsageError(
                f"{options.checkpoint}: give the report of `train octa evaluate` with "
                "--evaluation, or a --threshold between 0 and 1"
            )
        return Evaluated(OctaOutput(names, options.threshold, "given by hand"), "not stated", ())
    reports = [_read_report(path, options.checkpoint) for path in options.evaluation]
    first = reports[0]
    for other, path in zip(reports, options.evaluation, strict=True):
        if other.threshold != first.threshold:
            raise UsageError(
                f"{path}: its threshold is {other.threshold}, that of {options.evaluation[0]} is "
                f"{first.threshold}: an artifact has one"
            )
    metrics = tuple(metric for report in reports for metric in report.metrics)
    output = OctaOutput(names, first.threshold, _A_PRIORI)
    return Evaluated(output, f"{first.data}, training", metrics)


@dataclass(frozen=True)
class _Report:
    """What it says at the threshold from the training set."""

    data: str
    threshold: float
    metrics: tuple[Metric, ...]


def _read_report(path: Path, checkpoint: Path) -> _Report:
    try:
        report = json.loads(path.read_text())
        data, of = str(report["data"]), report["checkpoint_sha256"]
        rows = [row for row in report["rows"] if row["rule"] == _A_PRIORI]
        thresholds = [float(row["threshold"]) for row in rows]
        scores = [(row["averaging"], round(float(row["scores"]["dice"]), 4)) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a report of `train octa evaluate`: {error}") from error
    if of != hashlib.sha256(checkpoint.read_bytes()).hexdigest():
        raise UsageError(f"{path}: is about another checkpoint than {checkpoint}: evaluate it")
    if not thresholds:
        raise UsageError(f"{path}: has no threshold from the training set")
    metrics = [Metric("torch", f"{data}, test", f"dice {name}", dice) for name, dice in scores]
    return _Report(data, thresholds[0], tuple(metrics))


def split_sha256(eyes: Sequence[str] | None) -> str | None:
    """Of the names of the eyes that it was trained on, one a line."""
    return None if eyes is None else hashlib.sha256("\n".join(eyes).encode()).hexdigest()
