"""The committed weights on DRIVE: the committed numbers come out again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RESULTS = Path("train/results/m2unet_drive.json")
README = Path("train/README.md")

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def report(data, tmp_path_factory) -> dict:
    """What the command writes now."""
    output = tmp_path_factory.mktemp("report") / "report.json"
    command = [sys.executable, "-W", "ignore", "-m", "train", "evaluate", "--dataset", "drive"]
    command += ["--checkpoint", "train/weights/m2unet_drive.ckpt", "--data", str(data)]
    done = subprocess.run(
        [*command, "--output", str(output), "--markdown"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(output.read_text()), "markdown": done.stdout}


def test_dice_a_priori_is_at_least_the_goal(report):
    (row,) = [
        row
        for row in report["rows"]
        if row["rule"].startswith("a priori")
        and (row["region"], row["averaging"]) == ("full frame", "pooled")
    ]
    assert row["scores"]["dice"] >= 0.800


def test_the_committed_report_is_what_the_command_prints(report):
    committed = json.loads(RESULTS.read_text())
    assert committed["checkpoint_sha256"] == report["checkpoint_sha256"]
    assert committed["training_split_sha256"] == report["training_split_sha256"]
    for before, now in zip(committed["rows"], report["rows"], strict=True):
        assert now["threshold"] == pytest.approx(before["threshold"])
        for name, value in before["scores"].items():
            assert now["scores"][name] == (
                value if value is None else pytest.approx(value, abs=2e-4)
            )


def test_the_readme_holds_the_committed_table(report):
    shown = README.read_text()
    committed = json.loads(RESULTS.read_text())["rows"]
    assert all(f"| {row['scores']['dice']:.4f} |" in shown for row in committed)
    header = report["markdown"].splitlines()[0]
    assert header in shown
