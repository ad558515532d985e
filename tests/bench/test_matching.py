"""The matcher's speed: a real process, a small gallery."""

import json
from pathlib import Path

import numpy as np
from artifact_folders import python
from biometrics.drawn_eyes import eye

from bench.matching import synthetic_eye


def test_measures_with_every_condition(samples: Path, tmp_path: Path) -> None:
    output = tmp_path / "matching.json"
    done = python(
        "-m", "bench", "matching", samples, "--force", "--gallery", "20", "--runs", "4",
        "--output", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    assert (document["eyes"], document["gallery"], document["found"]) == (3, 20, 4)
    assert document["one_to_one"]["count"] == 8
    assert document["one_to_many"]["count"] == 4
    assert 0 < document["one_to_one"]["p50_ms"] < document["one_to_many"]["p50_ms"]
    assert document["protected"]["one_to_one"]["count"] == 8
    assert document["protected"]["one_to_many"]["count"] == 4
    assert document["protected"]["found"] >= 3
    assert document["conditions"]["forced"] is True
    assert "found 4 of 4 synthetic probes, " in done.stdout


def test_a_gallery_smaller_than_its_eyes_is_one_line(samples: Path) -> None:
    done = python("-m", "bench", "matching", samples, "--force", "--gallery", "2", "--runs", "1")
    assert done.returncode == 2
    assert "3 photographs: it needs two, and no more than the 2" in done.stderr
    assert done.stderr.count("error:") == 1


def test_synthetic_eyes_are_templates_of_four_quadrants() -> None:
    rng = np.random.default_rng(0)
    eyes = [eye(1), eye(2)]
    made = synthetic_eye(eyes, rng)
    assert len(made.samples) <= 512
    assert set((made.samples["x"] >= 0) + 2 * (made.samples["y"] >= 0)) == {0, 1, 2, 3}
    assert made.to_bytes() != synthetic_eye(eyes, rng).to_bytes()
