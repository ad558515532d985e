"""One network at several sizes."""

import json
from pathlib import Path

import pytest
from artifact_folders import ROOT, called, python

from bench.__main__ import main

WEIGHTS = ROOT / "train" / "weights" / "m2unet_fundus.ckpt"
REPORT = ROOT / "train" / "results" / "m2unet_fundus_on_drive_538px.json"
GOLDEN = ROOT / "samples" / "chase_db1_07L.jpg"
SWEEP = ["sweep", WEIGHTS, "--evaluation", REPORT, "--golden", GOLDEN]


@pytest.mark.slow
def test_two_sizes_and_their_law(tmp_path: Path) -> None:
    output = tmp_path / "sweep.json"
    more = ("--threads", "1", "--runs", "15", "--warmup", "0", "--force", "--output", output)
    done = python("-m", "bench", *SWEEP, "--sizes", "256,128", *more)
    assert done.returncode == 0, done.stderr
    cases = json.loads(output.read_text())["cases"]
    assert [case["subject"]["input"] for case in cases] == [[128, 128], [256, 256]]
    smaller, larger = (case["stages"]["inference"]["p50_ms"] for case in cases)
    assert 1.5 < larger / smaller < 10, "four times the pixels"
    assert "ms at a megapixel, growing with its power" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sizes", "544"], "two sizes or more"),
        (["--sizes", "a,b"], "such as 256,544,960"),
        (["--sizes", "0,16"], "--sizes: '0,16': 0 pixels"),
        (["--sizes", "100,200"], "must be a multiple of 16"),
        (["--threads", "99"], "--threads 99: from 1 to"),
        (["--cores", "99"], "core 99 is not one"),
        (["--target", "toaster"], "target 'toaster' is unknown"),
        (["--engines=tvm"], "--engines: not for sweep"),
        (["--allow-unsigned"], "--allow-unsigned: not for sweep"),
        (["--sizes", "64,96", "--runs", "0"], "--runs: '0': a whole number from 1"),
    ],
)
def test_wrong_calls_are_one_line(arguments: list[str], says: str) -> None:
    done = called(main, *SWEEP, *arguments)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
