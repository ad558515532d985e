"""From a checkpoint to a signed artifact, and whether it still computes the same."""

import json

import onnx
import pytest
import torch
from artifact_folders import ROOT, called, python
from torch import nn

from compile import export
from compile.build import main
from compile.export import fold_batch_norms, to_onnx
from compile.parity import Parity, compare
from compile.size import square
from compile.source import from_checkpoint
from edge_vessel import artifact, signing
from edge_vessel.errors import UsageError
from edge_vessel.selftest import run_selftest
from train.metrics import Prediction
from train.models import create
from train.models.checkpoint import Checkpoint, save_slim

WEIGHTS = ROOT / "train" / "weights" / "m2unet_drive.ckpt"
REPORT = ROOT / "train" / "results" / "m2unet_drive.json"


def test_one_command_makes_a_signed_artifact_that_passes_its_self_test(tmp_path, samples):
    _, public = signing.generate(tmp_path / "user")
    done = python(
        "-W", "ignore", "-m", "compile", WEIGHTS, "-o", tmp_path / "a", "--evaluation", REPORT,
        "--golden", samples / "chase_db1_07L.jpg", "--key", tmp_path / "user.key",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    built = artifact.open_artifact(tmp_path / "a", [signing.load_public_key(public)])
    assert built.manifest.model.parameters == 549_748
    assert built.manifest.model.multiply_adds == 1_418_860_528
    assert run_selftest(built, threads=2).passed
    model = onnx.load_from_string(built.read("model.onnx"))
    assert {node.op_type for node in model.graph.node} == {
        "Transpose", "Cast", "Mul", "Conv", "Clip", "Add", "Resize", "Sigmoid",
    }  # fmt: skip
    assert model.opset_import[0].version >= 17
    assert str(ROOT).encode() not in built.read("model.onnx"), "no path of this machine"


def test_further_evaluations_bring_metrics_but_no_second_threshold(tmp_path):
    """What one network measures on other cameras belongs to its artifact."""
    report = json.loads(REPORT.read_text())
    other, apart = tmp_path / "other.json", tmp_path / "apart.json"
    other.write_text(
        json.dumps(report | {"dataset": "chase_db1", "scaling": {"fov_diameter_px": 538.0}})
    )
    for row in report["rows"]:
        row["threshold"] = 0.41
    apart.write_text(json.dumps(report))
    source = from_checkpoint(WEIGHTS, square(64), [REPORT, other])
    assert source.dataset == "drive"
    data = [one.data for one in source.metrics]
    assert len(data) == len(set(zip(data, (one.name for one in source.metrics), strict=True))) == 8
    assert "chase_db1 test at 538 px, field of view" in data
    with pytest.raises(UsageError, match=r"apart.json: its threshold is 0.41, that of .* is 0.58"):
        from_checkpoint(WEIGHTS, square(64), [REPORT, apart])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"checkpoint": "none.ckpt"}, "none.ckpt: no such checkpoint"),
        (
            {"checkpoint": "README.md"},
            "of `train fit`: Weights only load failed\n",
        ),
        ({"--evaluation": "README.md"}, "not a report of `train evaluate`"),
        ({"--golden": "README.md"}, "not an image"),
        ({"--size": "100"}, "multiple of 16"),
        ({"--key": "none.key"}, "none.key"),
    ],
)
def test_wrong_calls_are_one_line(tmp_path, samples, change, says):
    options = {
        "checkpoint": WEIGHTS,
        "-o": tmp_path / "a",
        "--evaluation": REPORT,
        "--golden": samples / "chase_db1_07L.jpg",
    } | change
    checkpoint = options.pop("checkpoint")
    done = called(main, checkpoint, *(part for pair in options.items() for part in pair))
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("folder", "code", "says"),
    [
        ("taken", 2, "taken: exists already; choose another folder, or --overwrite"),
        ("file/artifact", 3, "file: cannot be made: File exists"),
    ],
)
def test_no_place_for_the_result_is_told_before_the_work(tmp_path, folder, code, says):
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    done = called(main, "none.ckpt", "-o", tmp_path / folder, "--golden", "none.jpg")
    assert done.returncode == code
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_folders_on_the_way_to_the_result_are_made(tmp_path, samples):
    """As the README's `-o artifacts/mine` in a fresh clone."""
    output = tmp_path / "artifacts" / "mine"
    golden = samples / "chase_db1_07L.jpg"
    call = [WEIGHTS, "-o", output, "--evaluation", REPORT, "--golden", golden, "--size", "64"]
    done = called(main, *call)
    assert done.returncode == 0, done.stderr
    assert (output / "manifest.json").is_file()


def test_the_export_command_writes_either_batch(tmp_path):
    for more, batch in ([], 1), (["--dynamic-batch"], "batch"):
        path = tmp_path / "m.onnx"
        done = called(export.main, WEIGHTS, "-o", path, "--size", "64", *more)
        assert done.returncode == 0, done.stderr
        first = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0]
        assert (first.dim_param or first.dim_value) == batch
    done = called(export.main, WEIGHTS, "-o", tmp_path / "no" / "m.onnx")
    assert done.returncode == 3
    assert "m.onnx: cannot be written" in done.stderr


def test_folding_takes_every_batch_norm_of_the_network():
    network = create("m2unet").eval()
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    image = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        before = network(image)
        assert fold_batch_norms(network) == norms == 51
        assert torch.allclose(network(image), before, atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_a_network_in_training_mode_is_refused():
    with pytest.raises(UsageError, match="training mode"):
        to_onnx(create("m2unet"), square(64))


def _prediction(values) -> Prediction:
    probability = torch.tensor([values]).numpy()
    return Prediction("x", probability, probability > 0.4, probability >= 0)


def test_parity_is_lost_by_a_difference_or_another_dice():
    one = _prediction([0.2, 0.6, 0.7])
    assert compare([one], [one], 0.5).holds
    assert not compare([one], [_prediction([0.2, 0.6, 0.7002])], 0.5).holds
    assert not Parity(1, 1e-6, 0.0, 0.5, 0.80004, 0.80006).holds


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("other", [False, True], ids=["its own", "another network's"])
def test_parity_with_a_checkpoint_on_drive(data, tmp_path, other):
    checkpoint = ROOT / "train" / "weights" / "m2unet_fundus.ckpt"
    if other:
        checkpoint = tmp_path / "other.ckpt"
        save_slim(checkpoint, Checkpoint("m2unet", create("m2unet")))
    bundled = ROOT / "edge_vessel" / "models" / "m2unet-fundus-544"
    done = python("-m", "compile.parity", checkpoint, bundled, "--data", data, "--json")
    found = json.loads(done.stdout)
    assert found["images"] == 20
    if other:
        assert done.returncode == 4
        assert "parity is lost" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert found["max_abs_difference"] < 1e-4
        assert round(found["dice_before"], 4) == round(found["dice_after"], 4)
