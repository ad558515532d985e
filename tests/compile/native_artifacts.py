"""Compiled artifacts of the published weights, small enough to be made in seconds."""

import subprocess
from pathlib import Path

from artifact_folders import ROOT, python

WEIGHTS = ROOT / "train" / "weights" / "m2unet_drive.ckpt"
REPORT = ROOT / "train" / "results" / "m2unet_drive.json"
GOLDEN = ROOT / "samples" / "chase_db1_07L.jpg"


def compile_for(
    target: str, folder: Path, size: int | str = 160, *more: str | Path
) -> subprocess.CompletedProcess[str]:
    """`python -m compile` for a target."""
    return python(
        "-W", "ignore", "-m", "compile", WEIGHTS, "--target", target, "--evaluation", REPORT,
        "--golden", GOLDEN, "--size", str(size), "-o", folder, *more,
    )  # fmt: skip
