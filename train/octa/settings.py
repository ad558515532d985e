"""What decides a training on rendered eyes, as one YAML file."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from edge_vessel.errors import UsageError

INPUTS = ("volume", "projection")
_RANGES: dict[str, tuple[float, float]] = {
    "overlap": (0.0, 0.95),
    "scale": (0.0, 0.9),
    "learning_rate": (1e-9, 1e3),
    "weight_decay": (0.0, 1e3),
    **dict.fromkeys(
        (
            "steps",
            "batch_size",
            "patch_px",
            "window_px",
            "threshold_eyes",
            "tile_px",
            "whole_eyes",
        ),
        (1, math.inf),
    ),
}


@dataclass(frozen=True)
class Settings:
    """One run but for its seed.

    Attributes:
        model, model_options: of `train.models`.
        input: "volume" or "projection".
        steps: of the optimiser, on patches.
        batch_size, patch_px: of patches.
        window_px, overlap: of the sliding window that predicts.
        learning_rate, weight_decay: of AdamW; half a cosine down to 0.
        loss: a name of `train.losses`.
        scale: a patch is scaled by up to this share.
        split_seed: which eyes are for test.
        threshold_eyes: training eyes that the threshold is chosen on.
        whole_steps, tile_px: of global retraining: steps on whole planes, and the tiles, without
            overlap, whose features are stitched; 0 where the network has none.
        whole_eyes: training eyes whose planes are stitched, the first ones.
    """

    model: str
    model_options: dict[str, Any] = field(default_factory=dict)
    input: str = "volume"
    steps: int = 100
    batch_size: int = 2
    patch_px: int = 64
    window_px: int = 164
    overlap: float = 0.125
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    loss: str = "bce_jaccard"
    scale: float = 0.1
    split_seed: int = 0
    threshold_eyes: int = 2
    whole_steps: int = 0
    whole_eyes: int = 12
    tile_px: int = 76


def read_settings(path: Path) -> Settings:
    """Reads a YAML file of `Settings`' own names.

    Raises:
        UsageError: the file is missing or no YAML, or a name or a value is none of them.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path}: not readable as YAML: {reason}") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), str):
        raise UsageError(f"{path}: names no model, as in `model: asr_ipn_v2`")
    known = {one.name: one.type for one in fields(Settings)}
    for name, value in content.items():
        if name not in known:
            raise UsageError(f"{path}: unknown setting {name!r}; known: {', '.join(known)}")
        fault = _fault(value, known[name], *_RANGES.get(name, (0, math.inf)))
        if fault:
            raise UsageError(f"{path}: {name}: {value!r} {fault}")
    found = Settings(**content)
    if found.input not in INPUTS:
        raise UsageError(f"{path}: input {found.input!r}; known: {', '.join(INPUTS)}")
    return found


def _fault(value: object, kind: object, least: float, most: float) -> str | None:
    if kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
            return "is no whole number" if kind is int else "is no number"
        return None if least <= value <= most else f"is not {least:g} to {most:g}"
    wanted = str if kind is str else dict
    return None if isinstance(value, wanted) else f"is no {wanted.__name__}"
