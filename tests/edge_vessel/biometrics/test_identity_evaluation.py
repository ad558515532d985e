"""The command, on real captures; its parts, on the repository's own photographs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_vessel import models
from edge_vessel.artifact import open_artifact
from edge_vessel.biometrics import protected_table
from edge_vessel.biometrics.captures import Acquisition, Picture, synthetic
from edge_vessel.biometrics.evaluation import Refusal, evaluate
from edge_vessel.biometrics.gallery import Gallery
from edge_vessel.biometrics.pictures import picture
from edge_vessel.biometrics.protected_evaluation import evaluate_protected
from edge_vessel.errors import UsageError
from edge_vessel.segmenter import Segmenter


def _run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edge_vessel.biometrics", "evaluate", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def acquisition() -> Acquisition:
    return Acquisition(Segmenter(open_artifact(models.resolve(None), ())), "0" * 64, None)


@pytest.mark.data
def test_tells_two_people_apart(data: Path, tmp_path: Path) -> None:
    people, cache = tmp_path / "people", tmp_path / "maps"
    cache.mkdir()
    for subject in ("P1", "P7"):
        (people / subject).mkdir(parents=True)
        for photo in sorted((data / "RIDB" / subject).iterdir())[:3]:
            (people / subject / photo.name).symlink_to(photo)
    output, png = tmp_path / "evaluation.json", tmp_path / "evaluation.png"
    ran = _run(people, "--cache", cache, "--output", output, "--png", png)
    assert ran.returncode == 0, ran.stderr
    assert "0/9 (0 to 33 %)" in ran.stdout
    assert "photographs: mated pairs by how their captures differ" in ran.stdout
    assert "the kiosk would have refused none" in ran.stdout
    document = json.loads(output.read_text())
    (one,) = document["evaluations"]
    points, enrolled, graphs, _ = one["methods"]
    assert min(graphs["mated"]) > max(graphs["non_mated"])
    assert (len(enrolled["mated"]), len(enrolled["non_mated"])) == (6, 6)
    assert min(enrolled["mated"]) > 5
    assert max(enrolled["non_mated"]) < 0
    assert (len(points["mated"]), len(points["non_mated"])) == (6, 9)
    assert min(points["mated"]) > 5
    assert max(points["non_mated"]) < 0
    assert one["failure_to_acquire"]["errors"] == 0
    assert png.read_bytes().startswith(b"\x89PNG")
    kept = sorted(cache.iterdir())
    assert len(kept) == 6
    assert kept[0].stat().st_mode & 0o077 == 0
    kept[0].write_bytes(b"PK broken")
    again = _run(people, "--cache", cache)
    assert again.returncode == 2
    assert again.stderr.startswith(f"error: {kept[0]}: no vessel map")


@pytest.fixture(scope="module")
def synthetic_captures(samples: Path, acquisition: Acquisition) -> list:
    return [acquisition.capture(picture) for picture in synthetic([samples], seed=1)]


def test_virtual_cameras_see_one_eye(synthetic_captures: list) -> None:
    assert [one.name for one in synthetic_captures] == ["reference", "probe"] * 3
    found = evaluate("synthetic", synthetic_captures, range(6))
    points, graphs, maps = found.methods
    assert 0 <= min(graphs.non_mated) < max(graphs.mated) <= 1
    assert (len(points.mated), len(points.non_mated)) == (3, 12)
    assert points.rates.gap > 0
    assert points.rates.fmr.errors == points.rates.fnmr.errors == 0
    assert max(maps.mated) <= 1
    assert found.subjects == 3
    assert {one.by for one in found.conditions} == {"rotation_deg", "scale", "shift", "light"}
    assert sum(one.fnmr.trials for one in found.conditions) == 4 * 3


def test_protected_templates_match_and_cannot_be_linked(
    synthetic_captures: list, capsys: pytest.CaptureFixture
) -> None:
    found = evaluate_protected("synthetic", synthetic_captures, 1, range(6))
    plain, protected = found.evaluation.methods
    assert (len(protected.mated), len(protected.non_mated)) == (3, 12)
    assert len(plain.mated) == 3
    assert min(protected.mated) > max(protected.non_mated)
    assert protected.rates.fmr.errors == 0
    *hidden, stolen = found.linked
    assert [len(one.mated) for one in hidden] == [12] * 3
    assert stolen.d_sys > max(one.d_sys for one in hidden[:1])
    assert [one.subject for one in found.inverted] == sorted(
        {one.subject for one in synthetic_captures}
    )
    protected_table.write([found], 200)
    assert "both keys stolen" in capsys.readouterr().out
    assert picture([found.evaluation], [found.linked]).startswith(b"\x89PNG")


def test_gallery_of_real_templates(synthetic_captures: list) -> None:
    references = Gallery([one.template for one in synthetic_captures[::2]])
    for index, probe in enumerate(synthetic_captures[1::2]):
        assert references.search(probe.template)[0].index == index


def test_no_fundus_is_a_failure_to_acquire(
    acquisition: Acquisition, synthetic_captures: list
) -> None:
    blind = acquisition.capture(Picture("x", "black", np.zeros((400, 400, 3), np.uint8)))
    assert blind.template is None
    captures = [*synthetic_captures[:1], blind, *synthetic_captures[1:]]
    found = evaluate("synthetic", captures, range(7))
    rate = found.failure_to_acquire
    assert (rate.errors, rate.trials) == (1, 7)
    assert Refusal("too_dark", 1) in found.refusals
    with pytest.raises(UsageError, match="no mated"):
        evaluate("synthetic", [synthetic_captures[0], blind], range(2))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["."], "it needs two people"),
        ([".", "--output", "nowhere/x.json"], "nowhere/x.json: no such folder"),
    ],
)
def test_says_what_is_wrong(
    arguments: list[str], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    ran = _run(*arguments)
    assert ran.returncode == 2
    assert fault in ran.stderr
    assert ran.stderr.count("\n") == 1
