"""The data sets as published, and what check-data says of them when they are not."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_vessel.errors import UsageError
from train.check_data import check
from train.data import DATA_SETS, find
from train.data.dataset import load, load_second_label, read_mask, split_sha256
from train.data.drive import DRIVE
from train.datamodule import split_validation

pytestmark = pytest.mark.data


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_counts_and_windows(name, data):
    dataset = find(name)
    for split, count in dataset.counts.items():
        assert len(dataset.records(data, split)) == count
    sample = load(dataset.records(data, "test")[0])
    assert sample.label.shape == dataset.size
    assert sample.crop(dataset.window).image.shape == (
        dataset.window.height,
        dataset.window.width,
        3,
    )


def test_half_of_hrf_is_its_photographs_by_area(data):
    whole, half = (load(find(name).records(data, "test")[0]) for name in ("hrf", "hrf_half"))
    assert half.id == whole.id
    squares = whole.image.astype(float).reshape(1168, 2, 1752, 2, 3).mean(axis=(1, 3))
    assert np.abs(half.image - squares).max() <= 0.5
    assert np.array_equal(half.label, whole.label.reshape(1168, 2, 1752, 2).sum(axis=(1, 3)) > 2)
    outside = half.fov.copy()
    outside[find("hrf_half").window.slices] = False
    assert not outside.any()


def test_both_splits_of_chase_db1_hold_the_same_photographs_and_never_share_one(data):
    first, second = find("chase_db1"), find("chase_db1_20_8")
    ids = [
        [r.id for s in ("train", "test") for r in one.records(data, s)] for one in (first, second)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[1])) == 28
    assert second.records(data, "train")[-1].id == "10R"


def test_second_label_comes_at_the_records_scale(data):
    record = DRIVE.records(data, "test")[0]
    found = load_second_label(replace(record, scale=0.5))
    assert found is not None
    assert found.shape == load(replace(record, scale=0.5)).label.shape == (292, 282)
    assert load_second_label(DRIVE.records(data, "train")[0]) is None


def test_second_observer_of_drive_reaches_the_published_dice(data):
    dice = []
    for record in DRIVE.records(data, "test"):
        assert record.second_label is not None
        first, second, fov = map(read_mask, (record.label, record.second_label, record.fov))
        both = (first & second & fov).sum()
        dice.append(2 * both / ((first & fov).sum() + (second & fov).sum()))
    assert np.mean(dice) == pytest.approx(0.7881, abs=5e-5)


def test_validation_comes_out_of_training_and_is_the_same_every_time(data):
    records = DRIVE.records(data, "train")
    fit, held_out = split_validation(records, 2, seed=0)
    assert len(fit) == 18
    assert {r.id for r in fit}.isdisjoint(r.id for r in held_out)
    assert split_validation(records, 2, seed=0) == (fit, held_out)


def test_split_hash_depends_on_the_pixels_labels_and_order(data):
    records = DRIVE.records(data, "train")
    assert len({split_sha256(records), split_sha256(records[1:]), split_sha256(records[::-1])}) == 3


@pytest.fixture()
def drive(data, tmp_path):
    """A copy of DRIVE that a test may damage."""
    for part in ("training", "test"):
        shutil.copytree(data / "DRIVE" / part, tmp_path / "DRIVE" / part)
    for path in tmp_path.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path


def _label(root, number):
    return root / "DRIVE" / "training" / "1st_manual" / f"{number}_manual1.gif"


def _swap_labels(root):
    first, second = _label(root, 21).read_bytes(), _label(root, 22).read_bytes()
    _label(root, 21).write_bytes(second)
    _label(root, 22).write_bytes(first)


def _duplicate(root):
    shutil.copy(_label(root, 21), _label(root, 22))


def _remove(root):
    _label(root, 30).unlink()


def _truncate(root):
    path = root / "DRIVE" / "test" / "images" / "05_test.tif"
    path.write_bytes(path.read_bytes()[:5000])


def _shrink(root):
    path = root / "DRIVE" / "test" / "images" / "05_test.tif"
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (300, 300)))


def _turn(root):
    label = cv2.imread(str(_label(root, 25)))
    cv2.imwrite(str(_label(root, 25)), np.ascontiguousarray(label[::-1, ::-1]))


def _empty(root):
    cv2.imwrite(str(_label(root, 25)), np.zeros((584, 565, 3), np.uint8))


@pytest.mark.parametrize(
    ("damage", "named", "says"),
    [
        (_swap_labels, "21_manual1.gif", "darker than their surroundings"),
        (_turn, "25_manual1.gif", "darker than their surroundings"),
        (_duplicate, "22_manual1.gif", "the same file as"),
        (_remove, "30_manual1.gif", "missing"),
        (_truncate, "05_test.tif", "damaged image"),
        (_shrink, "05_test.tif", "300x300"),
        (_empty, "25_manual1.gif", "0.0% of the field of view"),
    ],
)
def test_damage_is_named(drive, damage, named, says):
    damage(drive)
    problems = check(DRIVE, drive)
    assert any(named in p.path and says in p.problem for p in problems), problems


def test_untouched_data_have_no_problem(drive):
    assert check(DRIVE, drive) == []


def test_absent_data_say_how_to_get_them(tmp_path):
    (problem,) = check(DRIVE, tmp_path)
    assert "register" in problem.problem
    with pytest.raises(UsageError, match="known: chase_db1, chase_db1_20_8, drive, hrf, hrf_half"):
        find("stare")


def test_the_command(drive):
    command = [sys.executable, "-m", "train", "check-data", "--data", str(drive)]
    good = subprocess.run(
        [*command, "--dataset", "drive"], capture_output=True, text=True, check=False
    )
    assert (good.returncode, good.stderr) == (0, "")
    _remove(drive)
    bad = subprocess.run(
        [*command, "--dataset", "drive", "--json"], capture_output=True, text=True, check=False
    )
    assert bad.returncode == 2
    assert json.loads(bad.stdout)["drive"][0]["problem"] == "missing"
