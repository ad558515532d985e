"""A bundle on the board, as a user installs it: no network, no compiler, then an eye."""

import json
from pathlib import Path

import cv2
import pytest
from artifact_folders import python
from board import Board

from train import data as registry
from train.data.dataset import load

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.data, pytest.mark.timeout(2400)]

# The image's own disk is too small for a second installation.
INSTALL = """
set -e; unset PYTHONPATH; mount -t tmpfs -o size=1500m none /opt; mkdir /opt/unpacked
cd /opt/unpacked; tar xf /mnt/host/bundle.tar; ./edge-vessel-*/install.sh --no-service; cd /mnt/host
edge-vessel run --slots --input images --output maps --jsonl frames.jsonl
edge-vessel slots status --json > status.json
"""


def test_a_bundle_is_installed_and_segments_an_eye(
    board: Board, data: Path, tmp_path: Path
) -> None:
    sample = load(registry.find("drive").records(data, "test")[0])
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "eye.png"), sample.image[..., ::-1])
    made = python(
        "-m", "deploy", "bundle", "--target", "rk3399", "--artifact", "m2unet-fundus-544", "-o",
        tmp_path / "bundle.tar",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    code, output = board.run(INSTALL, tmp_path, 1500)
    assert code == 0, output
    assert "installed 0.1.0 for rk3399; runs m2unet-fundus-544" in output
    assert "ok   artifact     m2unet-fundus-544 version 4, pinned; onnx" in output, "the doctor"
    assert "the main job can run" in output
    status = json.loads((tmp_path / "status.json").read_text())
    assert "m2unet-fundus-544" in json.dumps(status["active"])
    mask = cv2.imread(str(tmp_path / "maps" / "eye_mask.png"), cv2.IMREAD_GRAYSCALE) > 0
    label = sample.label.astype(bool)
    dice = 2 * (mask & label).sum() / (mask.sum() + label.sum())
    assert dice >= 0.75
    frame = json.loads((tmp_path / "frames.jsonl").read_text().splitlines()[0])
    assert frame["status"] == "ok"
