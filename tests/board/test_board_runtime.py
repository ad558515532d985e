"""The main job on the board: camera to masks, the cable pulled out, power measured."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from board import Board
from test_board_camera import play

from bench import run_file
from edge_vessel import models
from edge_vessel.artifact import open_artifact
from edge_vessel.segmenter import Segmenter
from edge_vessel.sources.images import read_image

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(2400)]


def test_the_run_command_survives_an_unplugged_camera(board: Board, photographs: Path) -> None:
    facts = play(board, photographs, "runtime")
    *lines, summary = [json.loads(x) for x in (photographs / "frames.jsonl").open()]
    assert facts["recovered"] == 0
    assert facts["doctor"] == 0
    assert [line["state"] for line in lines if line["type"] == "camera"][:3] == [
        "lost",
        "recovering",
        "ok",
    ]
    assert summary["type"] == "summary"
    assert (summary["processed"], summary["camera"], summary["losses"]) == (4, "ok", 1)
    assert summary["power"]["kind"] == "measured"
    assert summary["power"]["mean_power_w"] == pytest.approx(9.0, abs=0.1)

    segmenter = Segmenter(open_artifact(models.resolve(Path("m2unet-fundus-544")), ()))
    expected = [
        segmenter.segment(read_image(path)).mask
        for path in sorted((photographs / "images").glob("*.jpg"))
    ]
    masks = sorted((photographs / "maps").glob("*_mask.png"))
    assert len(masks) == 4
    for path in masks:
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) > 0
        dice = [2 * (mask & one).sum() / max(1, mask.sum() + one.sum()) for one in expected]
        assert np.max(dice) > 0.995, "the board computes what the workstation computes"


def test_an_absent_camera_is_exit_code_3(board: Board, photographs: Path) -> None:
    command = "python3 -m edge_vessel.run --camera 0 --camera-timeout 1"
    code, output = board.run(command, photographs, 300)
    assert code == 3, output
    assert "/dev/video0" in output
    assert "Traceback" not in output


def test_bench_needs_the_base_package_alone(board: Board, photographs: Path) -> None:
    """No torch, no compiler, no matplotlib there; bench lies beside it, as in a bundle."""
    command = (
        "python3 -m bench latency m2unet-fundus-544 --image images/0.jpg --runs 1 --warmup 0 "
        "--force --output latency.json"
    )
    code, output = board.run(command, photographs, 900)
    assert code == 0, output
    run = run_file.read(photographs / "latency.json")
    (case,) = run.cases
    assert run.kind == "emulated"
    assert run.conditions.machine.architecture == "aarch64"
    assert {core.part for core in run.conditions.machine.cores} == {"Cortex-A72"}
    assert case.stages.inference.count == 1
    assert case.subject.trust == "pinned"
    assert "emulated" in output
