"""OCTA-500 on a small tree of the same layout."""

import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from edge_vessel.errors import UsageError
from train.data import octa500
from train.data.octa_split import split

DEPTH, SIDE = 8, 24


def _write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(image))


def _plane(random):
    """Vessels without a symmetry of their own."""
    label = np.zeros((SIDE, SIDE), bool)
    label[3:5] = label[:, 4:6] = label[15:20, 12:14] = True
    return label ^ (random.random((SIDE, SIDE)) < 0.05)


def _tree(root, symmetry, eyes=3):
    """The label file is the volume's label turned back, so that `symmetry` turns it onto it."""
    random = np.random.default_rng(0)
    labels = []
    for name in map(str, range(10001, 10001 + eyes)):
        label = _plane(random)
        labels.append(label)
        flow = random.integers(0, 60, (DEPTH, SIDE, SIDE), np.uint8)
        flow[3:5] += label.astype(np.uint8) * 150
        base = root / "OCTA_6M"
        for number in range(SIDE):
            _write(base / "OCTA" / name / f"{number + 1}.bmp", flow[:, number])
            _write(base / "OCT" / name / f"{number + 1}.bmp", flow[:, number] // 2)
        (stored,) = [
            one
            for one in (octa500.turned(label, back) for back in range(8))
            if np.array_equal(octa500.turned(one, symmetry), label)
        ]
        for maps in octa500.PROJECTIONS:
            _write(base / "ProjectionMaps" / maps / f"{name}.bmp", stored.astype(np.uint8) * 200)
        _write(base / "GT_LargeVessel" / f"{name}.bmp", stored.astype(np.uint8) * 255)
    return labels


@pytest.mark.parametrize("symmetry", range(8))
def test_labels_are_turned_onto_the_volume(tmp_path, symmetry):
    labels = _tree(tmp_path, symmetry, eyes=1)
    (record,) = octa500.records(tmp_path)
    volume = octa500.read_volume(record)
    assert volume.shape == (2, DEPTH, SIDE, SIDE)
    stored = octa500.read_label(record, 0)
    found = octa500.find_symmetry([stored], [volume])
    assert found == symmetry
    assert np.array_equal(octa500.read_label(record, found), labels[0])
    assert octa500.read_projections(record).shape == (3, SIDE, SIDE)


def test_labels_of_other_eyes_fit_in_no_symmetry(tmp_path):
    _tree(tmp_path, 0, eyes=1)
    (record,) = octa500.records(tmp_path)
    other = np.random.default_rng(1).random((SIDE, SIDE)) < 0.3
    with pytest.raises(UsageError, match="in no symmetry"):
        octa500.find_symmetry([other], [octa500.read_volume(record)])


def test_labels_may_lie_in_a_folder_of_their_own(tmp_path):
    _tree(tmp_path, 2, eyes=1)
    base = tmp_path / "OCTA_6M"
    (base / "Label").mkdir()
    (base / "GT_LargeVessel").rename(base / "Label" / "GT_LargeVessel")
    (record,) = octa500.records(tmp_path)
    assert octa500.read_label(record, 2).any()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda base: (base / "GT_LargeVessel" / "10002.bmp").unlink(), "missing"),
        (lambda base: (base / "OCT" / "10001" / "5.bmp").write_bytes(b"BM"), "damaged"),
        (lambda base: (base / "OCT" / "10001" / "5.bmp").unlink(), "a B-scan is missing"),
        (lambda base: (base / "OCT" / "10001" / "24.bmp").unlink(), "but its OCTA is"),
        (lambda base: shutil.rmtree(base / "OCT" / "10001"), "cannot be listed"),
        (lambda base: _write(base / "OCTA" / "10001" / "5.bmp", np.eye(7)), "all have one size"),
        (lambda base: None, "3 eyes; published with 300"),
    ],
)
def test_check_data_names_what_is_wrong(tmp_path, damage, says):
    _tree(tmp_path, 1)
    damage(tmp_path / "OCTA_6M")
    assert any(says in text for _, text in octa500.problems(tmp_path))


def test_check_data_explains_how_to_get_it(tmp_path):
    command = [sys.executable, "-m", "train", "check-data", "--data", str(tmp_path)]
    done = subprocess.run(
        [*command, "--dataset", "octa500"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "register for OCTA-500" in done.stdout
    assert "300 eyes of OCTA_6M" in done.stdout


def test_the_split_is_7_to_3_and_its_seed_decides():
    train, test = split(300, seed=5)
    assert (len(train), len(test)) == (210, 90)
    assert sorted(train + test) == list(range(300))
    assert split(300, 5) == (train, test)
    assert split(300, 6) != (train, test)
