"""Compiled artifacts of the published weights, small enough to be made in seconds."""

import subprocess
from pathlib import Path

from artifact_folders import ROOT, called

from compile.build import main

WEIGHTS = ROOT / "train" / "weights" / "m2unet_drive.ckpt"
REPORT = ROOT / "train" / "results" / "m2unet_drive.json"
GOLDEN = ROOT / "samples" / "chase_db1_07L.jpg"


def compile_for(
    target: str, folder: Path, size: int | str = 160, *more: str | Path
) -> subprocess.CompletedProcess[str]:
    """What `python -m compile` does for a target."""
    return called(
        main, WEIGHTS, "--target", target, "--evaluation", REPORT, "--golden", GOLDEN, "--size",
        str(size), "-o", folder, *more,
    )  # fmt: skip
