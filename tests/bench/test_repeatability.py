"""Spread within and between people: the statistics by hand, the command on the samples."""

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from artifact_folders import called, python
from stored import stored

from bench.__main__ import main
from bench.repeatability import agreements
from bench.repeatability_file import Capture, RepeatabilityRun
from edge_vessel.vessels import Biomarkers

SOME = Biomarkers(0.1, 100.0, 10.0, 5.0, 0.01, 1.1, 2.0, 1.5, None, 3, 1, 2)


def captures(**people: list[float | None]) -> list[Capture]:
    return [
        Capture(name, "eye.jpg", None if one is None else replace(SOME, vessel_density=one))
        for name, values in people.items()
        for one in values
    ]


def density(found: list[Capture]):
    return {line.biomarker: line for line in agreements(found)}["vessel_density"]


def test_by_hand():
    # Shrout and Fleiss 1979, table 2, six targets and four judges; the ICC(1,1) of table 4.
    ratings = ([9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7])
    line = density(captures(**{f"p{n}": list(row) for n, row in enumerate(ratings)}))
    assert line.icc == pytest.approx(0.17, abs=0.005)
    assert line.within_sd == pytest.approx(6.26**0.5, rel=1e-3)
    assert line.between_sd == pytest.approx(((11.24 - 6.26) / 4) ** 0.5, rel=2e-3)
    assert (line.people, line.captures) == (6, 24)
    assert line.mean == pytest.approx(np.mean(ratings))


def test_the_same_in_every_capture_of_a_person():
    line = density(captures(a=[1, 1], b=[2, 2, 2], c=[4, 4]))
    assert (line.within_sd, line.icc) == (0, 1)


def test_a_capture_without_a_fundus_is_left_out():
    line = density(captures(a=[1, None, 1.2], b=[2, 2.2]))
    assert line.captures == 4


def test_what_nobody_has_or_nothing_varies_in():
    lines = {line.biomarker: line for line in agreements(captures(a=[1, 1.1], b=[2, 2.1]))}
    assert "branching_angle_deg" not in lines
    assert lines["crossings"].icc is None
    assert agreements(captures(a=[1, 2])) == []
    assert agreements(captures(a=[1], b=[2])) == []


def test_the_command(tmp_path: Path, samples: Path) -> None:
    for person in ("P1", "P2"):
        (tmp_path / "eyes" / person).mkdir(parents=True)
    shutil.copy(samples / "chase_db1_07L.jpg", tmp_path / "eyes" / "P1" / "a.jpg")
    shutil.copy(samples / "chase_db1_11R.jpg", tmp_path / "eyes" / "P2" / "a.jpg")
    dimmer = cv2.imread(str(samples / "chase_db1_07L.jpg")) * 0.9
    cv2.imwrite(str(tmp_path / "eyes" / "P1" / "b.png"), dimmer)
    output = tmp_path / "run.json"
    done = python("-m", "bench", "repeatability", tmp_path / "eyes", "--output", output,
                  "--model", "m2unet-fundus-544")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 captures of 2 people" in done.stdout
    assert isinstance(stored(output), RepeatabilityRun)
    document = json.loads(output.read_text())
    assert document["conditions"]["versions"]["opencv"] == cv2.__version__
    told = python("-m", "bench", "report", output)
    assert "3 captures of 2 people" in told.stdout, told.stderr
    assert [one["biomarker"] for one in document["agreement"]] == [
        one.name for one in fields(Biomarkers)
    ]
    assert [(one["person"], one["photograph"]) for one in document["captures"]] == [
        ("P1", "a.jpg"),
        ("P1", "b.png"),
        ("P2", "a.jpg"),
    ]
    first, second, other = (one["biomarkers"]["vessel_density"] for one in document["captures"])
    assert abs(first - second) < abs(first - other)


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        (None, "no such folder; name one that holds a folder for each person"),
        ([], "holds 0 folders: one for each of two people or more"),
        (["P1"], "holds 1 folders"),
    ],
)
def test_wrong_folders_are_one_line(tmp_path: Path, folders: list[str] | None, says: str) -> None:
    root = tmp_path / "eyes"
    for name in folders or ():
        (root / name).mkdir(parents=True)
    if folders == []:
        root.mkdir()
    done = called(main, "repeatability", root)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
