"""The device's Dice, stage by stage, on two photographs."""

import json
from pathlib import Path

import pytest
from artifact_folders import ROOT, called, python
from stored import stored

from bench.__main__ import main
from bench.accuracy_file import AccuracyRun

WEIGHTS = ROOT / "train" / "weights" / "m2unet_fundus.ckpt"
SMALL = "m2unet-fundus-544"


@pytest.mark.data
def test_the_artifact_gives_what_the_checkpoint_gives(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "accuracy.json"
    done = python(
        "-W", "ignore", "-m", "bench", "accuracy", SMALL, "--checkpoint", WEIGHTS, "--data",
        data, "--photographs", "2", "--output", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    assert isinstance(stored(output), AccuracyRun)
    assert [one["name"] for one in document["subjects"]] == [SMALL]
    stages = {(line["stage"], line["region"]): line for line in document["lines"]}
    first, second = (
        stages["torch", "field of view"],
        stages[f"{SMALL} (onnx fp32)", "field of view"],
    )
    assert first["photographs"] == 2
    assert first["scores"]["dice"] == pytest.approx(second["scores"]["dice"], abs=1e-4)
    assert first["scores"]["dice"] > 0.75
    assert first["largest_difference"] is None
    assert second["mean_difference"] < second["largest_difference"] < 1e-3
    assert f"{SMALL} (onnx fp32)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["none"], 2, "none: no such artifact"),
        (["--dataset", "stare"], 2, "unknown data set 'stare'"),
        (["--checkpoint", "none.ckpt"], 2, "none.ckpt: no such checkpoint"),
        (["--photographs", "0"], 2, "--photographs: '0': a whole number from 1"),
        ([SMALL, SMALL], 2, "a stage stands twice"),
    ],
)
def test_wrong_calls_are_one_line(
    tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    done = called(main, "accuracy", *arguments, "--data", tmp_path)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
