"""Evaluations on synthetic volumes as one table, the papers' own figures apart."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_vessel.errors import UsageError
from train.metrics import Scores
from train.protocol import A_PRIORI, MEAN, POOLED
from train.report import estimate

_COLUMNS = ("dice", "accuracy", "sensitivity", "specificity", "auc", "cldice")

# Accuracy, sensitivity, specificity, F1 in %, on OCTA-500 (6 mm, projections), as published in the
# paper of ASR-IPN-V2.
_PUBLISHED = (
    ("U-Net", 94.36, 72.4, 94.3, 76.2),
    ("IPN", 95.3, 74.8, 95.1, 80.3),
    ("IPN-V2", 96.5, 78.3, 93.6, 82.0),
    ("IPN-V2+", 96.7, 78.4, 93.5, 82.1),
    ("ASR-IPN-V2", 96.9, 80.1, 93.2, 82.5),
)


@dataclass(frozen=True)
class Read:
    """What the table needs of one evaluation; `rate` is that of learning, clDice the mean over
    eyes, the other scores pooled."""

    name: str
    depth: int
    rate: float
    seed: int
    scores: Scores
    tiles: float
    used: float
    processor_minutes: float


def read_reports(paths: Sequence[Path]) -> list[Read]:
    """Reads evaluations of `train octa evaluate`.

    Raises:
        UsageError: a file is missing or is none.
    """
    return [_read(path) for path in paths]


def _read(path: Path) -> Read:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        rows = {(row["rule"], row["averaging"]): row["scores"] for row in content["rows"]}
        scores = rows[A_PRIORI, POOLED] | {"cldice": rows[A_PRIORI, MEAN]["cldice"]}
        run, borders = content["run"], content["borders"]
        return Read(
            _title(content),
            content["depth"],
            run["settings"]["learning_rate"],
            run["seed"],
            Scores(**scores),
            borders["tiles"],
            borders["used"],
            run["processor_minutes"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: no evaluation of `python -m train octa evaluate`") from error


def _title(content: dict[str, Any]) -> str:
    """The network's name, its plane perceptron if not the usual one, and what of the ablation it
    lacks."""
    name, options = str(content["model"]), content["options"]
    words = [name]
    if options.get("plane", "unet") != "unet":
        words.append(f"with {options['plane']}")
    if name == "asr_ipn_v2":
        words += [
            f"without {one}" for one in ("separable", "attention") if not options.get(one, True)
        ]
    return " ".join(words)


def table(found: Sequence[Read]) -> str:
    """A GitHub table, best Dice last, and the published one.

    `±` is the half width of the 95 % interval over seeds.
    """
    groups: dict[tuple[str, int, float], list[Read]] = {}
    for one in found:
        groups.setdefault((one.name, one.depth, one.rate), []).append(one)
    run = ("synthetic volumes", "depth", "rate", "seeds")
    lines = [[*run, *_COLUMNS, "borders: tiles", "used", "core min"]]
    lines.append(["---"] * len(lines[0]))
    dice = {key: estimate([one.scores.dice for one in group]).mean for key, group in groups.items()}
    for key in sorted(groups, key=lambda key: dice[key]):
        group = groups[key]
        columns = [str(estimate([getattr(one.scores, at) for one in group])) for at in _COLUMNS]
        rest = [
            f"{sum(getattr(one, at) for one in group) / len(group):.2f}"
            for at in ("tiles", "used", "processor_minutes")
        ]
        lines.append([*map(str, key), str(len(group)), *columns, *rest])
    names = ("accuracy %", "sensitivity %", "specificity %", "F1 %")
    published = [["published, OCTA-500 6 mm, projections", *names]]
    published.append(["---"] * 5)
    published += [[name, *map(str, values)] for name, *values in _PUBLISHED]
    return "\n".join([*_rows(lines), "", *_rows(published)]) + "\n"


def _rows(cells: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in cells]
