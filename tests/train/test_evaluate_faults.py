"""What `train evaluate` says before it predicts anything."""

import subprocess
import sys

import pytest

from train.models import create
from train.models.checkpoint import Checkpoint, save_slim

WEIGHTS = "train/weights/m2unet_drive.ckpt"


@pytest.mark.data
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--checkpoint", "none.ckpt"], "none.ckpt: no such checkpoint"),
        (["--checkpoint", "README.md"], "README.md: not a checkpoint"),
        (["--checkpoint", WEIGHTS, "--dataset", "stare"], "unknown data set 'stare'"),
        (["--checkpoint", WEIGHTS, "--trained-on", "stare"], "unknown data set 'stare'"),
        (["--checkpoint", WEIGHTS, "--trained-on", "drive+hrf"], "--fov-diameter PX"),
        (["--checkpoint", WEIGHTS, "--fov-diameter", "-5"], "more than 0 px"),
        (["--checkpoint", WEIGHTS, "--tile", "500"], "multiples of 16"),
        (["--checkpoint", WEIGHTS, "--device", "abacus"], "--device abacus"),
    ],
)
def test_faults_are_one_line(options, says, data):
    command = [sys.executable, "-W", "ignore", "-m", "train", "evaluate", "--data", str(data)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr


@pytest.mark.data
def test_photographs_that_the_network_was_trained_with_are_no_test(data, tmp_path):
    """CHASE_DB1 has two protocols: what one tests on, the other trains with."""
    path = tmp_path / "n.ckpt"
    run = {"data": "chase_db1_20_8", "fit": {"chase_db1_20_8": ["05L", "05R"]}, "validation": {}}
    save_slim(path, Checkpoint("wnet_unet", create("wnet_unet"), run=run))
    command = [sys.executable, "-W", "ignore", "-m", "train", "evaluate", "--data", str(data)]
    command += ["--checkpoint", str(path), "--dataset", "chase_db1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{path}: was trained with 2 of the test photographs of chase_db1" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
