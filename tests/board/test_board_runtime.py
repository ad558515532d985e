"""What the commands say on a board that lacks something; the main job: test_board_life.py."""

from pathlib import Path

import pytest
from board import Board

from bench import run_file

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(2400)]


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
