"""An ensemble's view of real training photographs, and a run that learns from it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from artifact_folders import called
from small_run import SMALL_CONFIG

from train import data as registry
from train.__main__ import main
from train.data.dataset import load
from train.data.root import data_root
from train.datamodule import FundusDataModule
from train.histogram import Histogram, quantise
from train.lineage import known
from train.metrics import best_threshold
from train.models import create
from train.models.checkpoint import Checkpoint, load_checkpoint, save_slim
from train.soft_labels import softened

pytestmark = [pytest.mark.data, pytest.mark.slow]

WEIGHTS = Path("train/weights")


@pytest.fixture(scope="module")
def made(data, tmp_path_factory) -> Path:
    """Of DRIVE, by two teachers of whom one sees it smaller."""
    folder = tmp_path_factory.mktemp("soft")
    call = ["soft-labels", "--dataset", "drive", "--data", str(data), "-o", str(folder)]
    call += ["--teacher", str(WEIGHTS / "m2unet_drive.ckpt")]
    done = called(main, *call, "--teacher", f"{WEIGHTS / 'm2unet_fundus.ckpt'}@400")
    assert done.returncode == 0, done.stderr
    assert f"{folder / 'drive'}: 20 photographs, 2 teachers; best threshold" in done.stdout
    return folder


def test_the_ensemble_is_about_right_and_its_best_threshold_is_a_half(data, made):
    record = json.loads((made / "drive" / "soft_labels.json").read_text())
    assert [one["fov_diameter_px"] for one in record["teachers"]] == [None, 400.0]
    assert record["dice"] > 0.8
    soft, label = [], []
    for one in registry.find("drive").records(data, "train"):
        sample = load(one)
        picture = cv2.imread(str(made / "drive" / f"{one.id}.png"), cv2.IMREAD_UNCHANGED)
        assert (picture.shape, picture.dtype) == (sample.label.shape, np.uint8)
        soft.append(picture[sample.fov])
        label.append(sample.label[sample.fov])
    values = (np.concatenate(soft) / 255.0).astype(np.float32)
    histogram = Histogram.of(quantise(values), np.concatenate(label))
    assert best_threshold(histogram) == pytest.approx(0.5, abs=0.02)
    assert histogram.confusion(0.5).dice == pytest.approx(record["dice"], abs=1e-3)


def test_targets_are_mixed_in_the_share_asked_for(data, made):
    sample = load(registry.find("drive").records(data, "train")[0])
    folder = made / "drive"
    soft = cv2.imread(str(folder / f"{sample.id}.png"), cv2.IMREAD_UNCHANGED).astype(float)
    assert np.array_equal(softened(sample, folder, 0.0).target, sample.target)
    assert np.array_equal(softened(sample, folder, 1.0).target, soft)
    half = softened(sample, folder, 0.5).target
    assert np.abs(half - (soft + 255.0 * sample.label) / 2).max() <= 0.5
    window = registry.find("drive").window
    assert np.array_equal(
        softened(sample, folder, 1.0).crop(window).target, soft[window.slices].astype(np.uint8)
    )


def test_photographs_to_fit_are_softened_and_the_watched_ones_are_not(data, made):
    module = FundusDataModule(root=str(data), soft_labels=str(made), soft_share=1.0)
    module.setup("fit")
    assert len(module._fit.labels[0].unique()) > 50
    assert set(module._validation.labels[0].unique().tolist()) == {0, 255}


@pytest.fixture
def fit(data, made, tmp_path) -> list[str]:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL_CONFIG)
    call = ["fit", "--config", str(config), "--data", str(data), "--output", str(tmp_path / "run")]
    return [*call, f"--data.soft_labels={made}"]


def test_a_run_remembers_who_taught_it(fit, data, tmp_path):
    done = called(main, *fit)
    assert done.returncode == 0, done.stderr
    found = load_checkpoint(tmp_path / "run" / "last.ckpt")
    teachers = found.run["taught_by"]["drive"]["teachers"]
    assert [one["file"] for one in teachers] == ["m2unet_drive.ckpt", "m2unet_fundus.ckpt"]
    seen = known(found, ("fit",))
    assert ("CHASE_DB1", "01L") in seen, "its teacher has seen that one"
    more = ["--resume", "--data.soft_share=0.25"]
    other = called(main, *fit, *more)
    assert other.returncode == 2, other.stderr
    assert "soft_share was 0.5, is 0.25" in other.stderr
    untaught = called(main, *fit, "--resume", "--data.soft_labels=null")
    assert untaught.returncode == 2
    assert max(map(len, untaught.stderr.splitlines())) < 400
    assert "drive was" in untaught.stderr


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--data.soft_share=1.5"], "--data.soft_share 1.5: a share, from 0 to 1"),
        (["--data.offline=true"], "--data.offline with --data.soft_labels: one or the other"),
        (["--data.soft_labels=nowhere"], "nowhere/drive/soft_labels.json: no record"),
        (["--data.dataset=drive+chase_db1", "--data.validation=1"], "chase_db1/soft_labels.json"),
    ],
)
def test_wrong_runs_are_one_line(fit, more, says):
    done = called(main, *fit, *more)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_soft_labels_of_other_photographs_are_refused(fit, made, data, tmp_path):
    other = tmp_path / "other" / "drive"
    other.mkdir(parents=True)
    for one in (made / "drive").iterdir():
        (other / one.name).write_bytes(one.read_bytes())
    call = [*fit, f"--data.soft_labels={other.parent}"]

    def refused() -> str:
        done = called(main, *call)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    first = sorted(other.glob("*.png"))[0]
    cv2.imwrite(str(first), np.zeros((20, 30), np.uint8))
    assert "soft_labels.json: of other pictures than those beside it" in refused()
    first.unlink()
    assert f"{first}: cannot be read: make soft labels again" in refused()
    record = json.loads((other / "soft_labels.json").read_text())
    (other / "soft_labels.json").write_text(json.dumps({**record, "data_sha256": "0"}))
    assert f"of other photographs or labels than those of {data_root(str(data))}" in refused()
    nonsense = [[], {**record, "teachers": "x"}, {**record, "teachers": [{"file": "f"}]}]
    nonsense.append({**record, "teachers": [{**record["teachers"][0], "fit": 3}]})
    for one in nonsense:
        (other / "soft_labels.json").write_text(json.dumps(one))
        assert "no record of soft labels: make them again" in refused()


@pytest.mark.parametrize(
    ("teacher", "says"),
    [
        ("none.ckpt", "none.ckpt: no such checkpoint"),
        (f"{WEIGHTS / 'wnet_drive.ckpt'}@wide", "@wide: FILE@PX, the field of view from 32"),
        (f"{WEIGHTS / 'wnet_drive.ckpt'}@nan", "@nan: FILE@PX"),
        (f"{WEIGHTS / 'wnet_drive.ckpt'}@3", "@3: FILE@PX"),
        (f"{WEIGHTS / 'wnet_drive.ckpt'}@", "@: FILE@PX"),
        ("a@b/none.ckpt", "a@b/none.ckpt: no such checkpoint"),
    ],
)
def test_wrong_teachers_are_one_line(data, tmp_path, teacher, says):
    call = ["soft-labels", "--dataset", "drive", "--data", str(data), "--teacher", teacher]
    done = called(main, *call, "-o", str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_teacher_that_knows_the_test_photographs_is_refused(data, tmp_path):
    """The split of 20 and 8 of CHASE_DB1 trains on what the split of 8 and 20 tests on."""
    torch.manual_seed(0)
    run = {"data": "chase_db1_20_8", "fit": {"chase_db1_20_8": ["01L", "09R"]}}
    save_slim(tmp_path / "cheat.ckpt", Checkpoint("wnet_unet", create("wnet_unet"), run=run))
    call = ["soft-labels", "--dataset", "chase_db1", "--data", str(data), "-o", str(tmp_path)]
    done = called(main, *call, "--teacher", str(tmp_path / "cheat.ckpt"))
    assert done.returncode == 2, done.stderr
    assert "was trained with 1 of the test photographs of chase_db1 (09R, ...)" in done.stderr
