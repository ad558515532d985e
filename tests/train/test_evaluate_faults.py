"""What `train evaluate` says before it predicts anything."""

import subprocess
import sys

import pytest

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
