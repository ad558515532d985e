"""`python -m deploy board test`: a board's life from the bundle to the power cut, in one go."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from board import REPOSITORY, Board

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.data, pytest.mark.timeout(4800)]


def test_a_board_lives(board: Board, data: Path, tmp_path: Path) -> None:
    drive = data / "DRIVE/test"
    command = [sys.executable, "-m", "deploy", "board", "test"]
    command += ["--image", board.image.folder.parent, "--output", tmp_path / "report.json"]
    command += ["--eye", drive / "images/01_test.tif"]
    command += ["--label", drive / "1st_manual/01_manual1.gif"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["kind"] == "emulated"
    assert len(report["steps"]) > 20
    assert report["dice"] >= 0.75
    assert report["power"]["kind"] == "measured"
    assert report["power"]["mean_power_w"] == pytest.approx(9.0, abs=0.1)
