"""Curves of evaluations, as PNG."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edge_vessel.atomic import write_file
from edge_vessel.errors import UsageError
from train.calibration import Reliability
from train.evaluation import Scaling
from train.protocol import POOLED
from train.stored import Stored

mpl.use("Agg")

Needed = TypeVar("Needed")


def precision_recall(path: Path, evaluations: Sequence[Stored], rule: str, region: str) -> None:
    """All pixels as one set; a point where the rule's threshold lies, a cross for the observer.

    Raises:
        UsageError: the evaluations are of several data sets, or of before curves were stored.
        DeviceError: the disk.
    """
    datasets = sorted({one.dataset for one in evaluations})
    if len(datasets) > 1:
        raise UsageError(f"--plot: one data set of {', '.join(datasets)}: choose with --dataset")
    figure = Figure(figsize=(6, 6), dpi=150, layout="constrained")
    axes = figure.subplots()
    for one in evaluations:
        points = _needed(one, one.curves.get(region))
        (drawn,) = axes.plot(
            [point.recall for point in points],
            [point.precision for point in points],
            linewidth=1.3,
            label=f"{_name(one)}, Dice {one.row(rule, region, POOLED).scores.dice:.3f}",
        )
        threshold = one.row(rule, region, POOLED).threshold
        at = min(points, key=lambda point: abs(point.threshold - threshold))
        axes.plot(at.recall, at.precision, "o", color=drawn.get_color(), markersize=6)
    for human in [one.second_observer[region] for one in evaluations if one.second_observer][:1]:
        axes.plot(
            human.recall,
            human.precision,
            "kx",
            markersize=8,
            label=f"second observer, Dice {human.dice:.3f}",
        )
    _equal_dice(axes)
    axes.set(
        xlim=(0.4, 1), ylim=(0.4, 1), xlabel="recall (sensitivity)", ylabel="precision",
        title=f"{datasets[0]} test, {region}; points: {rule}",
    )  # fmt: skip
    axes.set_aspect("equal")
    axes.legend(loc="lower left", fontsize="small")
    _write(path, figure)


def reliability(path: Path, evaluations: Sequence[Stored]) -> None:
    """A panel an evaluation: share of vessel against probability, before and after temperature.

    Raises:
        UsageError: an evaluation has no calibration.
        DeviceError: the disk.
    """
    figure = Figure(figsize=(4.2 * len(evaluations), 4.2), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(evaluations), squeeze=False)[0]
    for axes, one in zip(panels, evaluations, strict=True):
        found = _needed(one, one.calibration)
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        _diagram(axes, found.before, "before")
        _diagram(axes, found.after, f"temperature {found.temperature:.2f}")
        axes.set(
            xlim=(0, 1), ylim=(0, 1), xlabel="probability", ylabel="share of vessel pixels",
            title=f"{_name(one)}\non {one.dataset} test, field of view",
        )  # fmt: skip
        axes.title.set_fontsize("small")
        axes.set_aspect("equal")
        axes.legend(loc="upper left", fontsize="small")
    _write(path, figure)


def _diagram(axes: Axes, found: Reliability, name: str) -> None:
    axes.plot(
        [one.mean_probability for one in found.bins],
        [one.observed for one in found.bins],
        "o-",
        markersize=4,
        label=f"{name}: ECE {found.ece:.3f}, NLL {found.nll:.3f}",
    )


def _equal_dice(axes: Axes) -> None:
    """Lines of one Dice, to compare points by."""
    recall = np.linspace(0.4, 1, 200)
    for dice in (0.6, 0.7, 0.8, 0.9):
        precision = dice * recall / np.maximum(2 * recall - dice, 1e-9)
        seen = precision <= 1
        seen &= 2 * recall > dice
        axes.plot(recall[seen], precision[seen], color="0.85", linewidth=0.8, zorder=0)
        axes.annotate(f"{dice}", (1, dice / (2 - dice)), fontsize="x-small", color="0.6")


def _name(one: Stored) -> str:
    seed = one.run.get("seed")
    parts = [one.model, one.data]
    if seed is not None:
        parts.append(f"seed {seed}")
    if one.scaling != Scaling():
        parts.append(str(one.scaling))
    return ", ".join(parts)


def _needed(one: Stored, value: Needed | None) -> Needed:
    if not value:
        raise UsageError(f"{one.path}: written before curves were stored: evaluate it again")
    return value


def _write(path: Path, figure: Figure) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", bbox_inches="tight")
    write_file(path, content.getvalue())
