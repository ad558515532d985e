"""The container's recipe, step by step, in an arm64 root folder on the emulated board."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from artifact_folders import python
from board import Board

from edge_vessel.run_options import parser

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(2400)]
MODEL = "m2unet-fundus-544"


def test_what_the_recipe_makes_segments_as_this_machine_does(
    board: Board, photographs: Path
) -> None:
    bundle = photographs / "bundle.tar"
    made = python(
        "-m", "deploy", "bundle", "--target", "generic-aarch64", "--artifact", MODEL, "-o", bundle
    )
    assert made.returncode == 0, made.stderr
    code, output = board.run(
        "set -e; mkdir -p /opt/container/root; tar xf bundle.tar -C /opt/container; "
        "python3 /mnt/ro/tests/board/guest_container.py /mnt/ro/deploy/Containerfile "
        "/opt/container/edge-vessel-*",
        photographs,
        1200,
    )
    assert code == 0, output
    facts: dict = {}
    for line in output.splitlines():
        if line.startswith("{"):
            facts.update(json.loads(line))

    entry, *arguments = facts["starts"]
    assert entry == "edge-vessel"
    assert parser().parse_args(arguments[1:]).camera == "/dev/video0"

    look = facts["look"]
    assert "uid=960(edge-vessel)" in look["stdout"]
    assert "44(video)" in look["stdout"]
    assert "NoNewPrivs:\t1" in look["stdout"]
    assert look["stdout"].count("0000000000000000") == 5, "sets of capabilities, all empty"
    assert look["stdout"].endswith("/dev:\nnull\nurandom\nvideo0\nzero\n\n/sys/class/net:\nlo\n")
    assert "'/x': Read-only file system" in look["stderr"]

    cameras = json.loads(facts["cameras"]["stdout"])
    assert [(camera["path"], camera["driver"]) for camera in cameras] == [("/dev/video0", "vivid")]

    assert facts["segment"]["returncode"] == 0, facts["segment"]
    assert set(facts["owner"]) == {960}
    here = python(
        "-m", "edge_vessel.run", "--input", photographs / "images/0.jpg", "--model", MODEL,
        "--output", photographs / "expected", "--save", "mask",
    )  # fmt: skip
    assert here.returncode == 0, here.stderr
    found, expected = (
        cv2.imread(str(photographs / folder / "0_mask.png"), cv2.IMREAD_UNCHANGED) > 0
        for folder in ("maps", "expected")
    )
    assert 0.01 < expected.mean() < 0.3
    assert np.mean(found != expected) < 1e-4
