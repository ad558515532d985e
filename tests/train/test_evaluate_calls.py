"""The calls of `train evaluate`: what is refused, what comes of several data sets."""

import json
import subprocess
import sys

import pytest
import torch
from artifact_folders import called

from train.__main__ import main
from train.models import create
from train.models.checkpoint import Checkpoint, save_slim
from train.protocol import A_PRIORI, A_PRIORI_OWN

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
        (["--checkpoint", WEIGHTS, "--fov-diameter", "-5"], "-5.0: from 32 to 8192 px"),
        (["--checkpoint", WEIGHTS, "--fov-diameter", "nan"], "nan: from 32 to 8192 px"),
        (["--checkpoint", WEIGHTS, "--tile", "500"], "multiples of 16"),
        (["--checkpoint", WEIGHTS, "--device", "abacus"], "--device abacus"),
    ],
)
def test_faults_are_one_line(options, says, data):
    done = called(main, "evaluate", "--data", data, *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr


@pytest.mark.data
@pytest.mark.parametrize("further_back", [False, True])
def test_photographs_that_the_network_was_trained_with_are_no_test(data, tmp_path, further_back):
    """CHASE_DB1 has two protocols: what one tests on, the other trains with."""
    path = tmp_path / "n.ckpt"
    run = {"data": "chase_db1_20_8", "fit": {"chase_db1_20_8": ["05L", "05R"]}, "validation": {}}
    if further_back:
        run = {"data": "chase_db1", "files": [{"role": "start_from", "run": run}]}
    save_slim(path, Checkpoint("wnet_unet", create("wnet_unet"), run=run))
    done = called(main, "evaluate", "--data", data, "--checkpoint", path, "--dataset", "chase_db1")
    assert done.returncode == 2
    assert f"{path}: was trained with 2 of the test photographs of chase_db1" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.data
def test_photographs_that_a_teacher_was_fitted_on_are_not_held_out(data, tmp_path):
    path = tmp_path / "n.ckpt"
    teacher = {"fit": {"drive": ["25"]}, "validation": {"drive": ["21"]}}
    run = {"data": "drive", "fit": {"drive": ["21"]}, "validation": {"drive": ["25"]}}
    run["taught_by"] = {"drive": {"teachers": [teacher]}}
    save_slim(path, Checkpoint("wnet_unet", create("wnet_unet"), run=run))
    call = ["evaluate", "--data", data, "--checkpoint", path, "--dataset", "drive"]
    done = called(main, *call, "--fov-diameter", "64", "--calibrate-on", "validation")
    assert done.returncode == 2, done.stderr
    assert "no validation photographs of drive that it has not been fitted on" in done.stderr


@pytest.mark.data
@pytest.mark.slow
def test_several_data_sets_share_the_training_photographs(data, tmp_path):
    """A file each; the network's own training sets set the threshold unless told otherwise."""
    path, output = tmp_path / "n.ckpt", tmp_path / "found"
    torch.manual_seed(0)
    run = {"data": "drive+chase_db1", "validation": {"chase_db1": ["01L"]}}
    save_slim(path, Checkpoint("wnet_unet", create("wnet_unet"), run=run))
    command = [sys.executable, "-W", "ignore", "-m", "train", "evaluate", "--data", str(data)]
    command += ["--checkpoint", str(path), "--dataset", "chase_db1+drive", "--fov-diameter", "64"]
    command += ["--calibrate-on", "validation", "--output", str(output), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = [f"evaluation_{name}_by_drive+chase_db1_64px.json" for name in ("chase_db1", "drive")]
    assert sorted(file.name for file in output.iterdir()) == names
    found = [json.loads((output / name).read_text()) for name in names]
    assert json.loads(done.stdout) == found
    assert [one["images"] for one in found] == [20, 20]
    assert {one["trained_on"] for one in found} == {"drive+chase_db1"}
    together = [_threshold(one, A_PRIORI) for one in found]
    assert together[0] == together[1]
    assert {_threshold(one, A_PRIORI_OWN) for one in found} != set(together)


def _threshold(report: dict, rule: str) -> float:
    return next(row["threshold"] for row in report["rows"] if row["rule"] == rule)
