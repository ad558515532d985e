"""fp16: whose arithmetic it is, and what it costs in Dice."""

import re
import shutil
import subprocess
from itertools import islice
from pathlib import Path

import pytest
from native_artifacts import WEIGHTS, compile_for
from needs import unavailable

from compile import half_precision, rewrite, targets
from compile.export import to_onnx
from compile.golden import onnx_predictor
from compile.parity import compare
from compile.quantize import MAX_DICE_LOSS
from compile.size import square
from edge_vessel.artifact import open_artifact
from train import data as registry
from train.models.checkpoint import load_network
from train.predict import predictions

PHOTOGRAPHS = 4


@pytest.mark.parametrize("target", ["rk3399", "x86_64", "jetson-orin"])
def test_a_core_without_its_arithmetic_is_refused(target: str, tmp_path: Path) -> None:
    done = compile_for(target, tmp_path / "a", 96, "--precision", "fp16")
    assert done.returncode == 2
    assert "--precision fp16 gains nothing" in done.stderr
    assert "--target rpi5" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_eight_numbers_are_multiplied_at_once(tmp_path: Path) -> None:
    if shutil.which("aarch64-linux-gnu-objdump") is None:
        unavailable("aarch64-linux-gnu-objdump (binutils-aarch64-linux-gnu) is not installed")
    done = compile_for("rpi5", tmp_path / "a", 96, "--precision", "fp16")
    assert done.returncode == 0, done.stderr
    assert open_artifact(tmp_path / "a", (), allow_unsigned=True).manifest.model.precision == "fp16"
    listing = subprocess.run(
        ["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", tmp_path / "a" / "model.so"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    wide, narrow = (len(re.findall(rf"\tfmla\tv\d+\.{form},", listing)) for form in ("8h", "4s"))
    assert wide > 500
    assert narrow < 0.02 * wide, "the sigmoid alone is float32"


@pytest.mark.data
@pytest.mark.slow
def test_dice_stays_within_the_bound(data: Path) -> None:
    content, _ = rewrite.apply(to_onnx(load_network(WEIGHTS)[1], square(544)))
    half = half_precision.predictor(content, targets.find("rpi5").core(1, "fp16"))
    drive = registry.find("drive")
    before, after = (
        list(islice(predictions(predict, drive, data, "test"), PHOTOGRAPHS))
        for predict in (onnx_predictor(content), half)
    )
    found = compare(before, after, threshold=0.58)
    assert found.dice_before > 0.75
    assert found.dice_before - found.dice_after <= MAX_DICE_LOSS
    assert found.max_abs_difference > 1e-3, "float32 would be closer"
