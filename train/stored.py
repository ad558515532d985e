"""Evaluations read back from their JSON files."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_vessel.errors import UsageError
from train.calibration import Calibration, Reliability, ReliabilityBin
from train.evaluation import Observer, Scaling
from train.histogram import Point
from train.metrics import Scores
from train.protocol import A_PRIORI, A_PRIORI_OWN, Row


@dataclass(frozen=True)
class Stored:
    """One evaluation; what older files lack is empty.

    `data` is what the network was trained on, `model` its name with its options, `threshold_from`
    the data sets whose training photographs set the a priori threshold.
    """

    path: Path
    checkpoint_sha256: str
    model: str
    data: str
    dataset: str
    threshold_from: str
    scaling: Scaling
    rows: tuple[Row, ...]
    run: dict[str, Any]
    curves: dict[str, tuple[Point, ...]]
    second_observer: dict[str, Observer]
    calibration: Calibration | None

    def row(self, rule: str, region: str, averaging: str) -> Row:
        """Raises UsageError where the file lacks it; trained on one set, that is its own."""
        if rule == A_PRIORI_OWN and self.threshold_from == self.dataset:
            rule = A_PRIORI
        for one in self.rows:
            if (one.rule, one.region, one.averaging) == (rule, region, averaging):
                return one
        raise UsageError(f"{self.path}: has no row {rule!r}, {region}, {averaging}")


def read_all(paths: Sequence[Path]) -> list[Stored]:
    """Every evaluation of the files and, as `evaluation_*.json`, of the folders; each once.

    A folder without any, such as of a run that goes on, is told on stderr and left out.

    Raises:
        UsageError: a path is missing or is no evaluation, or there is no evaluation at all.
    """
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("evaluation_*.json")) if path.is_dir() else [path]
        if not inside:
            advice = (
                f"{path}: no evaluation_*.json in this folder; write one with "
                f"`python -m train evaluate --checkpoint {path}/last.ckpt`"
            )
            if path is paths[-1] and not files:
                raise UsageError(advice)
            sys.stderr.write(f"note: {advice}\n")
        files += inside
    found: dict[tuple[str, str, str, Scaling], Stored] = {}
    for file in files:
        one = read(file)
        key = (one.checkpoint_sha256, one.dataset, one.threshold_from, one.scaling)
        found.setdefault(key, one)
    return list(found.values())


def read(path: Path) -> Stored:
    """One file.

    Raises:
        UsageError: it is missing or no report of `train evaluate`.
    """
    try:
        content = json.loads(path.read_text())
        return _stored(path, content)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{path}: not a report of `train evaluate`: {type(error).__name__}: {error}"
        ) from error


def _stored(path: Path, content: dict[str, Any]) -> Stored:
    run = dict(content.get("run") or {})
    for name in ("epochs", "images_seen", "minutes", "seed"):
        if not isinstance(run.get(name), int | float | None):
            raise TypeError(f"run.{name} is no number")
    options = content.get("options") or {}
    data = str(run.get("data") or content.get("trained_on") or content["dataset"])
    listed = ", ".join(f"{name} {value}" for name, value in sorted(options.items()))
    return Stored(
        path,
        str(content["checkpoint_sha256"]),
        content["model"] + (f" ({listed})" if listed else ""),
        data + (", taught" if run.get("taught_by") else ""),
        str(content["dataset"]),
        str(content.get("trained_on") or content["dataset"]),
        Scaling(**(content.get("scaling") or {})),
        tuple(Row(**{**row, "scores": _scores(row["scores"])}) for row in content["rows"]),
        run,
        {
            region: tuple(Point(**point) for point in points)
            for region, points in (content.get("curves") or {}).items()
        },
        {
            region: Observer(**values)
            for region, values in (content.get("second_observer") or {}).items()
        },
        _calibration(content.get("calibration")),
    )


def _scores(content: dict[str, Any]) -> Scores:
    values = {name: None if value is None else float(value) for name, value in content.items()}
    return Scores(**values)


def _calibration(content: dict[str, Any] | None) -> Calibration | None:
    if content is None:
        return None
    before, after = (
        Reliability(
            content[name]["ece"],
            content[name]["nll"],
            tuple(ReliabilityBin(**one) for one in content[name]["bins"]),
        )
        for name in ("before", "after")
    )
    return Calibration(content["temperature"], content["fitted_on"], before, after)
