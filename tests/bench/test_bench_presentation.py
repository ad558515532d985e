"""The rates on simulated streams: a short run as a real process."""

import shutil
from pathlib import Path

from artifact_folders import python
from stored import stored

from bench.eye_streams import ATTACKS, EYES
from bench.presentation_file import PresentationRun


def test_every_stream_is_counted(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "eyes").mkdir()
    shutil.copy(samples / "chase_db1_07L.jpg", tmp_path / "eyes")
    output = tmp_path / "run.json"
    done = python(
        "-m", "bench", "presentation", tmp_path / "eyes", "--force", "--seeds", "1",
        "--duration", "1.2", "--output", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = stored(output)
    assert isinstance(run, PresentationRun)
    assert [one.name for one in run.streams] == [*EYES, *ATTACKS]
    refused = {one.name: one.suspicions for one in run.streams if one.refused}
    assert refused == {
        "a frozen frame": ("frozen",),
        "a frozen frame, JPEG anew": ("looped",),
        "a loop of 1 s": ("looped",),
    }
    assert {one.undecided for one in run.streams if not one.refused} == {1}
    assert run.frame.count == 40
    assert "Simulated streams of 1.2 s" in done.stdout
    told = python("-m", "bench", "report", output)
    assert "Simulated streams of 1.2 s" in told.stdout, told.stderr


def test_a_photograph_without_a_fundus_is_one_line(tmp_path: Path) -> None:
    docs = Path(__file__).parents[2] / "docs" / "pictures"
    shutil.copy(docs / "identity_ridb.png", tmp_path)
    done = python("-m", "bench", "presentation", tmp_path, "--force", "--seeds", "1")
    assert done.returncode == 2
    assert "identity_ridb.png: no fundus found in it" in done.stderr
