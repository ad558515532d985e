"""Parameters and multiply-adds of the networks of OCTA, and what each change of ASR-IPN-V2 does."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from train.models import create
from train.models.cost import multiply_adds, parameters

# Name in the table, network of the registry, its options.
ROWS: tuple[tuple[str, str, dict[str, bool | str]], ...] = (
    ("ipn", "ipn", {}),
    ("ipn_v2", "ipn_v2", {}),
    ("ipn_v2 + unet3plus", "ipn_v2", {"plane": "unet3plus"}),
    ("ipn_v2 + separable", "asr_ipn_v2", {"attention": False}),
    ("ipn_v2 + cbam", "asr_ipn_v2", {"separable": False}),
    ("asr_ipn_v2 (both)", "asr_ipn_v2", {}),
    ("asr_ipn_v2 + unet3plus", "asr_ipn_v2", {"plane": "unet3plus"}),
    ("ipn_v2_plus", "ipn_v2_plus", {}),
)


@dataclass(frozen=True)
class OctaCost:
    """Of one volume, channels x depth x side x side; a depth of 1 is a projection."""

    name: str
    parameters: int
    multiply_adds: int
    channels: int
    depth: int
    side_px: int


def costs(side_px: int, projection: bool) -> list[OctaCost]:
    """Counts, computes nothing. Volumes have the papers' depth of 160."""
    found = [_cost("plane_unet", "plane_unet", {}, side_px)]
    for title, name, options in ROWS:
        shape: dict[str, bool | str | int | Sequence[int]] = {}
        if projection:
            shape = {"channels": 3, "poolings": (1,) * (4 if name == "ipn" else 3)}
        found.append(_cost(title, name, {**options, **shape}, side_px))
    return found


def _cost(
    title: str, name: str, options: dict[str, bool | str | int | Sequence[int]], side_px: int
) -> OctaCost:
    with torch.device("meta"):
        network = create(name, **options)
    return OctaCost(
        title,
        parameters(network),
        multiply_adds(network, side_px, side_px),
        int(network.channels),  # type: ignore[arg-type]
        int(network.depth),  # type: ignore[arg-type]
        side_px,
    )
