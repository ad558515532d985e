"""Evaluations of several seeds and data sets as one table and one picture."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from artifact_folders import called

from edge_vessel.atomic_folder import make_folder
from edge_vessel.errors import UsageError
from edge_vessel.sources.images import read_image
from train.__main__ import main
from train.pictures import RED, WHITE, YELLOW, compared, write_png
from train.protocol import A_PRIORI, A_PRIORI_OWN, FULL_FRAME, POOLED
from train.report import estimate, lines, matrix
from train.stored import read_all

COMMITTED = Path("train/results/m2unet_drive.json")
CURVE = [
    {"threshold": 0.3, "precision": 0.7, "recall": 0.9},
    {"threshold": 0.58, "precision": 0.8, "recall": 0.8},
]
RELIABILITY = {
    "ece": 0.1,
    "nll": 0.2,
    "bins": [{"mean_probability": 0.1, "observed": 0.2, "count": 5}],
}


def _evaluation(folder: Path, name: str, dice: float, **more) -> Path:
    """The committed evaluation with another Dice and other conditions."""
    content = json.loads(COMMITTED.read_text())
    for row in content["rows"]:
        row["scores"]["dice"] = dice
    content |= {
        "checkpoint_sha256": name,
        "run": {"data": "drive", "seed": int(name), "epochs": 400, "minutes": 50.0},
        "curves": {FULL_FRAME: CURVE},
        "calibration": {
            "temperature": 1.5,
            "fitted_on": "training",
            "before": RELIABILITY,
            "after": RELIABILITY,
        },
        "second_observer": {FULL_FRAME: {"dice": 0.79, "precision": 0.8, "recall": 0.77}},
    }
    content |= more
    run = folder / name
    run.mkdir(exist_ok=True)
    path = run / f"evaluation_{content['dataset']}.json"
    path.write_text(json.dumps(content))
    return path


def _lines(*paths: Path, rule: str = A_PRIORI):
    return lines(read_all(paths), rule, FULL_FRAME, POOLED)


@pytest.mark.parametrize(
    ("values", "mean", "interval"),
    [
        ([0.8], 0.8, None),
        ([0.8, 0.82], 0.81, 12.7062 * 0.01),  # t of 1 degree of freedom; error of the mean 0.01
        ([0.80, 0.81, 0.82], 0.81, 4.30265 * 0.01 / 3**0.5),
        ([0.8, 0.8], 0.8, 0.0),
    ],
)
def test_interval_is_students(values, mean, interval):
    found = estimate(values)
    assert found.mean == pytest.approx(mean)
    assert found.interval == (interval if interval is None else pytest.approx(interval, abs=1e-6))


def test_seeds_of_one_setting_share_a_line(tmp_path):
    _evaluation(tmp_path, "1", 0.80)
    _evaluation(tmp_path, "2", 0.82)
    (line,) = _lines(tmp_path / "1", tmp_path / "2", tmp_path / "2")  # given twice, counted once
    assert (line.model, line.trained_on, line.tested_on, line.seeds) == (
        "m2unet",
        "drive",
        "drive",
        2,
    )
    assert str(line.scores["dice"]) == "0.8100 ± 0.1271"
    assert line.scores["cldice"] is not None
    assert (line.epochs, line.images_seen, line.minutes) == (400, None, 50)


@pytest.mark.parametrize(
    "other",
    [
        {"options": {"keep_rate": 0.9}},
        {"run": {"data": "hrf", "seed": 2}},
        {"run": {"data": "drive", "seed": 2, "epochs": 20}},
        {"dataset": "chase_db1"},
        {"trained_on": "drive+hrf"},
        {"scaling": {"fov_diameter_px": 537.0}},
        {"scaling": {"tile_px": 544, "overlap": 0.25}},
    ],
)
def test_other_settings_are_other_lines(other, tmp_path):
    first, second = _evaluation(tmp_path, "1", 0.8), _evaluation(tmp_path, "2", 0.9, **other)
    assert [line.seeds for line in _lines(first, second)] == [1, 1]


def test_runs_that_were_stopped_share_a_line_when_asked(tmp_path):
    first = _evaluation(tmp_path, "1", 0.8)
    second = _evaluation(tmp_path, "2", 0.9, run={"data": "drive", "seed": 2, "epochs": 300})
    found = read_all([first, second])
    (line,) = lines(found, A_PRIORI, FULL_FRAME, POOLED, any_epochs=True)
    assert (line.seeds, line.epochs) == (2, 350)


def test_a_run_that_goes_on_is_left_out_with_a_note(tmp_path, capsys):
    (tmp_path / "young").mkdir()
    _evaluation(tmp_path, "1", 0.8)
    for order in (("young", "1"), ("1", "young")):
        assert len(_lines(*(tmp_path / name for name in order))) == 1
        assert "young: no evaluation_*.json in this folder" in capsys.readouterr().err
    with pytest.raises(UsageError, match="young: no evaluation"):
        _lines(tmp_path / "young")


def test_one_seed_twice_is_no_second_seed(tmp_path):
    first = _evaluation(tmp_path, "1", 0.80)
    second = _evaluation(tmp_path, "2", 0.82, run={"data": "drive", "seed": 1, "epochs": 400})
    with pytest.raises(UsageError, match="both seed 1"):
        _lines(first, second)


def test_one_training_set_is_the_tested_sets_own(tmp_path):
    first = _evaluation(tmp_path, "1", 0.8)
    assert str(_lines(first, rule=A_PRIORI_OWN)[0].scores["dice"]) == "0.8000"
    other = _evaluation(tmp_path, "2", 0.8, trained_on="hrf")
    with pytest.raises(UsageError, match="has no row 'a priori: best on the training set of this"):
        _lines(other, rule=A_PRIORI_OWN)


def test_matrix_of_data_sets(tmp_path):
    paths = [
        _evaluation(tmp_path, "1", 0.8),
        _evaluation(tmp_path, "2", 0.7, dataset="chase_db1"),
        _evaluation(tmp_path, "3", 0.75, run={"data": "hrf", "seed": 3}),
    ]
    assert matrix(_lines(*paths)) == [
        ["model", "trained on", "scaling", "drive", "chase_db1"],
        ["m2unet", "drive", "own size", "0.8000", "0.7000"],
        ["m2unet", "hrf", "own size", "0.7500", ""],
    ]


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return called(main, "report", *arguments)


def test_the_command_tells_and_draws(tmp_path):
    path = _evaluation(tmp_path, "1", 0.8)
    curves, diagram = tmp_path / "curves.png", tmp_path / "diagram.png"
    done = _run(path.parent, COMMITTED, "--json", "--region", "fov", "--mean")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["region"] == "field of view"
    assert [line["scores"]["dice"]["interval"] for line in document["lines"]] == [None, None]
    done = _run(path, "--markdown", "--plot", curves, "--reliability", diagram)
    assert done.returncode == 0, done.stderr
    assert "| m2unet | drive | drive | drive | own size | 1 | 0.8000 |" in done.stdout
    for picture in (curves, diagram):
        assert np.ptp(read_image(picture)) == 255


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.json"], "none.json: No such file"),
        (["tests"], "tests: no evaluation_*.json in this folder"),
        (["README.md"], "README.md: not a report of `train evaluate`"),
        (["train/weights/m2unet_drive.ckpt"], "not a report of `train evaluate`"),
        ([COMMITTED, "--dataset", "stare"], "unknown data set 'stare'"),
        ([COMMITTED, "--dataset", "hrf"], "none of these evaluations is on it"),
    ],
)
def test_faults_are_one_line(arguments, says):
    done = _run(*arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_an_older_evaluation_has_no_curves_to_draw(tmp_path):
    done = _run(_evaluation(tmp_path, "1", 0.8, curves={}), "--plot", tmp_path / "x.png")
    assert done.returncode == 2
    assert "evaluate it again" in done.stderr


def test_picture_shows_right_false_and_missed(tmp_path):
    mask, label = np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 1, 0]], bool)
    make_folder(tmp_path / "a" / "b")
    path = tmp_path / "a" / "b" / "x.png"
    write_png(path, compared(mask, label))
    assert read_image(path)[0].tolist() == [list(WHITE), list(YELLOW), list(RED), [0, 0, 0]]
