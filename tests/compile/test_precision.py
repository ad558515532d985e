"""fp16 and int8 in native code: for which cores, and what they cost in Dice."""

import io
import re
import shutil
import subprocess
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import pytest
from native_artifacts import GOLDEN, WEIGHTS, compile_for
from needs import unavailable
from onnx import numpy_helper

from compile import emulation, rewrite, targets
from compile.export import to_onnx
from compile.golden import golden_bytes, onnx_predictor
from compile.native import compile_native
from compile.parity import Parity, compare
from compile.quantize import MAX_DICE_LOSS
from compile.size import square
from compile.stages import _within_loss, check_golden
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import ArtifactError, UsageError
from edge_vessel.sources.images import read_image
from train import data as registry
from train.models.checkpoint import load_network
from train.predict import predictions

PHOTOGRAPHS = 4


@pytest.mark.parametrize(
    ("target", "precision", "others"),
    [
        ("rk3399", "fp16", "--target rpi5"),
        ("x86_64", "fp16", "--target rpi5"),
        ("jetson-orin", "fp16", "--target rpi5"),
        ("rpi5", "int8", "--target cortex-a72 or rk3399 or rpi4 or generic-aarch64; --engine onnx"),
        ("x86_64", "int8", "--target cortex-a72"),
    ],
)
def test_a_core_that_gains_nothing_is_refused(
    target: str, precision: str, others: str, tmp_path: Path
) -> None:
    done = compile_for(target, tmp_path / "a", 96, "--precision", precision, "--engine", "tvm")
    assert done.returncode == 2
    assert f"--precision {precision} gains nothing" in done.stderr
    assert others in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_integers_are_widened_and_added_in_pairs(tmp_path: Path) -> None:
    if shutil.which("aarch64-linux-gnu-objdump") is None:
        unavailable("aarch64-linux-gnu-objdump (binutils-aarch64-linux-gnu) is not installed")
    done = compile_for("rk3399", tmp_path / "a", 96, "--precision", "int8")
    assert done.returncode == 0, done.stderr
    assert "int8: Dice not checked: give the data with --data" in done.stderr
    assert open_artifact(tmp_path / "a", (), allow_unsigned=True).manifest.model.precision == "int8"
    names = re.findall(r"^ +[0-9a-f]+:\t(\S+)", _listing(tmp_path / "a"), re.MULTILINE)
    for instruction in ("smlal", "sadalp", "addp", "sqxtn"):
        assert names.count(instruction) > 50, instruction
    assert not {"sdot", "udot"} & set(names), "beyond ARMv8.0"


def _listing(artifact: Path) -> str:
    return subprocess.run(
        ["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", artifact / "model.so"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_eight_numbers_are_multiplied_at_once(tmp_path: Path) -> None:
    if shutil.which("aarch64-linux-gnu-objdump") is None:
        unavailable("aarch64-linux-gnu-objdump (binutils-aarch64-linux-gnu) is not installed")
    done = compile_for("rpi5", tmp_path / "a", 96, "--precision", "fp16")
    assert done.returncode == 0, done.stderr
    assert open_artifact(tmp_path / "a", (), allow_unsigned=True).manifest.model.precision == "fp16"
    listing = _listing(tmp_path / "a")
    wide, narrow = (len(re.findall(rf"\tfmla\tv\d+\.{form},", listing)) for form in ("8h", "4s"))
    assert wide > 500
    assert narrow < 0.02 * wide, "the sigmoid alone is float32"


def test_a_weight_that_float16_does_not_hold_is_said() -> None:
    content, _ = rewrite.apply(to_onnx(load_network(WEIGHTS)[1], square(64)))
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 4:
            tensor.CopyFrom(
                numpy_helper.from_array(numpy_helper.to_array(tensor) * 1e7, tensor.name)
            )
            break
    with pytest.raises(UsageError, match="a weight is beyond 65504"):
        compile_native(model.SerializeToString(), targets.find("rpi5"), 1, precision="fp16")


def test_a_golden_photograph_that_comes_out_otherwise_is_refused() -> None:
    content, _ = rewrite.apply(to_onnx(load_network(WEIGHTS)[1], square(64)))
    core = targets.find("rk3399").core(1, "int8")
    golden = golden_bytes(content, read_image(GOLDEN))
    check_golden(content, golden, core, "int8")
    with np.load(io.BytesIO(golden)) as arrays:
        other = io.BytesIO()
        np.savez_compressed(other, image=arrays["image"], probability=1 - arrays["probability"])
    with pytest.raises(ArtifactError, match="off in the mean on the golden photograph"):
        check_golden(content, other.getvalue(), core, "int8")


@pytest.mark.parametrize("dice", [0.7, float("nan")])
def test_a_lost_dice_is_refused(dice: float) -> None:
    with pytest.raises(ArtifactError, match="nothing is written; use --precision fp32"):
        _within_loss("fp16", "drive", Parity(1, 0.1, 0.1, 0.5, 0.8, dice))


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("target", "precision"), [("rpi5", "fp16"), ("rk3399", "int8")])
def test_dice_stays_within_the_bound(target: str, precision: str, data: Path) -> None:
    content, _ = rewrite.apply(to_onnx(load_network(WEIGHTS)[1], square(544)))
    core = targets.find(target).core(2, precision)
    coarse = emulation.predictor(content, core, precision)
    drive = registry.find("drive")
    before, after = (
        list(islice(predictions(predict, drive, data, "test"), PHOTOGRAPHS))
        for predict in (onnx_predictor(content), coarse)
    )
    found = compare(before, after, threshold=0.58)
    assert found.dice_before > 0.75
    assert found.dice_before - found.dice_after <= MAX_DICE_LOSS
    assert found.max_abs_difference > 1e-3, "float32 would be closer"
