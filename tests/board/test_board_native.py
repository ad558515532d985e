"""A compiled artifact on the emulated Cortex-A72, without the compiler."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from artifact_folders import python
from board import Board
from native_artifacts import compile_for

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(2400)]
SIDE = 288


def test_the_a72_segments_as_the_workstation_does(board: Board, photographs: Path) -> None:
    for name, target, *more in (
        ("here", "x86_64"),
        ("a72", "rk3399"),
        ("int8", "rk3399", "--precision", "int8"),
        ("a76", "rpi5"),
    ):
        done = compile_for(target, photographs / name, SIDE, *more)
        assert done.returncode == 0, done.stderr
    run = "python3 -m edge_vessel.run --allow-unsigned --input images"
    code, output = board.run(
        "python3 -c 'import tvm' 2> no_tvm.txt; set -e; "
        "python3 -m edge_vessel.artifact verify a72 --allow-unsigned --json > verify.json; "
        f"{run} --model a72 --output maps; "
        "python3 -m edge_vessel.artifact verify int8 --allow-unsigned --json > verify8.json; "
        f"{run} --model int8 --output maps8; "
        f"if {run} --model a76 --output none 2> refused.txt; then exit 9; fi",
        photographs,
        900,
    )
    assert code == 0, output
    assert "No module named 'tvm'" in (photographs / "no_tvm.txt").read_text()
    assert json.loads((photographs / "verify.json").read_text())["ok"]
    refused = (photographs / "refused.txt").read_text()
    assert "lacks asimddp" in refused, refused
    assert not list(photographs.glob("none/*"))

    assert json.loads((photographs / "verify8.json").read_text())["ok"]
    _segment_here(photographs)
    _assert_same_masks(photographs, "maps", 1e-5)
    _assert_same_masks(photographs, "maps8", 5e-3)


def test_the_a76_computes_in_half_precision(board: Board, photographs: Path) -> None:
    for name, target, more in (("here", "x86_64", ()), ("half", "rpi5", ("--precision", "fp16"))):
        done = compile_for(target, photographs / name, SIDE, *more)
        assert done.returncode == 0, done.stderr
    code, output = board.run(
        "set -e; python3 -m edge_vessel.artifact verify half --allow-unsigned --json > verify.json;"
        "python3 -m edge_vessel.run --allow-unsigned --input images --model half --output maps",
        photographs,
        900,
        cpu="cortex-a76",
    )
    assert code == 0, output
    verified = json.loads((photographs / "verify.json").read_text())
    assert verified["ok"]
    assert verified["selftest"]["max_abs_difference"] > 2e-3, "float32 would be closer"
    _segment_here(photographs)
    _assert_same_masks(photographs, "maps", 5e-3)


def _segment_here(photographs: Path) -> None:
    here = python(
        "-m", "edge_vessel.run", "--allow-unsigned", "--input", photographs / "images",
        "--model", photographs / "here", "--output", photographs / "expected",
    )  # fmt: skip
    assert here.returncode == 0, here.stderr


def _assert_same_masks(photographs: Path, maps: str, share: float) -> None:
    """The same but for a share of the pixels, ties at the threshold."""
    masks = sorted((photographs / maps).glob("*_mask.png"))
    assert len(masks) == 3
    for path in masks:
        found, expected = (
            cv2.imread(str(folder / path.name), cv2.IMREAD_UNCHANGED) > 0
            for folder in (photographs / maps, photographs / "expected")
        )
        assert 0.01 < expected.mean() < 0.3
        assert np.mean(found != expected) < share
