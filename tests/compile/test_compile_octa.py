"""A checkpoint of OCTA becomes an artifact that segments volumes as torch does."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from compile.build import main
from compile.octa import parity, torch_network
from edge_vessel import artifact_cli
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import ArtifactError
from edge_vessel.octa.description import Channel, OctaInput
from edge_vessel.octa.segmenter import OctaSegmenter
from edge_vessel.octa.sliding import slide
from edge_vessel.octa.volume import NAMES, open_volume
from train.models import create
from train.models.checkpoint import Checkpoint, load_network, save_slim

OPTIONS = {"width": 4, "poolings": [2, 2], "plane_widths": [4, 8]}
SETTINGS = {"model": "asr_ipn_v2", "window_px": 32, "overlap": 0.25}


def _randomise(network):
    """Batch norms that have seen data: what is folded must matter."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.5, 0.5)
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Checkpoint, evaluation, volume."""
    folder = tmp_path_factory.mktemp("octa")
    torch.manual_seed(0)
    network = _randomise(create("asr_ipn_v2", **OPTIONS)).eval()
    run = {"settings": SETTINGS, "training_eyes": ["a", "b"]}
    save_slim(folder / "last.ckpt", Checkpoint("asr_ipn_v2", network, OPTIONS, run))
    row = {
        "rule": "a priori: best on the training set",
        "threshold": 0.4,
        "averaging": "pooled",
        "scores": {"dice": 0.81234},
    }
    digest = hashlib.sha256((folder / "last.ckpt").read_bytes()).hexdigest()
    report = {"data": "synthetic volumes", "rows": [row], "checkpoint_sha256": digest}
    (folder / "report.json").write_text(json.dumps(report))
    later = report | {"rows": [row | {"threshold": 0.5}]}
    (folder / "later.json").write_text(json.dumps(later))
    (folder / "rowless.json").write_text(json.dumps(report | {"rows": []}))
    (folder / "torn.json").write_text(json.dumps(report | {"rows": [{"rule": row["rule"]}]}))
    (folder / "other.json").write_text(json.dumps(report | {"checkpoint_sha256": "0" * 64}))
    volume = np.random.default_rng(0).integers(0, 256, (2, 8, 44, 50), np.uint8)
    np.save(folder / "eye.npy", volume)
    np.save(folder / "small.npy", volume[:, :, :20])
    return folder


@pytest.fixture(scope="module")
def built(folder):
    """Compiled once; of a volume twice as deep as the network."""
    call = [str(folder / "last.ckpt"), "-o", str(folder / "artifact")]
    call += ["--evaluation", str(folder / "report.json"), "--golden", str(folder / "eye.npy")]
    assert main(call) == 0
    return folder / "artifact"


def test_the_manifest_says_how_patches_go(built):
    manifest = open_artifact(built, (), allow_unsigned=True).octa
    assert manifest.input.shape == (2, 4, 32, 32)
    assert (manifest.input.overlap, manifest.input.blending) == (0.25, "gaussian")
    assert (manifest.output.classes, manifest.output.threshold) == (("vessel",), 0.4)
    assert manifest.model.training_data == "synthetic volumes, training"
    assert manifest.model.split_sha256 == hashlib.sha256(b"a\nb").hexdigest()
    found = {metric.name: metric.value for metric in manifest.metrics}
    assert found["dice pooled"] == 0.8123
    assert found["largest difference from torch"] < 1e-4


def test_the_artifact_verifies_and_gives_what_torch_gives(built, folder):
    assert artifact_cli.main(["verify", str(built), "--allow-unsigned"]) == 0
    segmenter = OctaSegmenter(open_artifact(built, (), allow_unsigned=True), threads=1)
    volume = np.load(folder / "eye.npy")[:, :, :32, :32]
    np.save(folder / "patch.npy", volume)
    found = segmenter.segment(segmenter.open(str(folder / "patch.npy"))).probabilities
    means = volume.reshape(2, 4, 2, 32, 32).mean(axis=2, dtype=np.float32)
    with torch.inference_mode():
        logits = load_network(folder / "last.ckpt")[1](torch.from_numpy(means / 127.5 - 1)[None])
    assert np.abs(found - torch.sigmoid(logits)[0].numpy()).max() < 1e-4


CHANNELS = Channel("OCT", 1 / 127.5, -1.0), Channel("OCTA", 1 / 127.5, -1.0)
FORM = OctaInput(CHANNELS, 4, 16, 16, 0.25, "gaussian")


def _loud(weight: float) -> torch.nn.Module:
    """A network whose logits are so large that float32's rounding shows in its probabilities."""
    torch.manual_seed(1)
    network = _randomise(create("ipn", width=4, poolings=[2, 2])).eval()
    with torch.no_grad():
        network.head.weight *= weight
    return network


def test_more_than_rounding_is_refused(folder):
    volume = open_volume(str(folder / "eye.npy"), NAMES, 4)
    with pytest.raises(ArtifactError, match="nothing is written"):
        parity(volume, FORM, _loud(1.0), torch_network(_loud(1.01)), 1)


def test_rounding_alone_is_told(folder, capsys):
    """The float64 of a network is as far from its float32 as rounding is."""
    volume, network = open_volume(str(folder / "eye.npy"), NAMES, 4), _loud(1e5)
    corner = slide(volume, FORM, torch_network(network), 1).logits[0, 0, 0]
    with torch.no_grad():
        network.head.bias -= float(corner)  # where a probability is not 0 or 1, whatever it loses
    found = parity(volume, FORM, network, torch_network(network, torch.float64), 1)
    assert [metric.stage for metric in found] == ["onnx", "torch"]
    assert found[0].value == found[1].value > 1e-4
    assert "from its float64" in capsys.readouterr().err


@dataclass(frozen=True)
class Refused:
    name: str
    flags: tuple[str, ...]
    says: str


REFUSED = [
    Refused("native code", ("--target", "rk3399"), "no native code for volumes"),
    Refused("data", ("--data", "DIR"), "--data is for photographs"),
    Refused("nothing evaluated", (), "or a --threshold between 0 and 1"),
    Refused("threshold", ("--threshold", "2"), "or a --threshold between 0 and 1"),
    Refused("another's report", ("--evaluation", "other.json"), "is about another checkpoint"),
    Refused("no report", ("--evaluation", "last.ckpt"), "not a report of `train octa evaluate`"),
    Refused("a torn row", ("--evaluation", "torn.json"), "octa evaluate`: 'threshold'"),
    Refused("no row", ("--evaluation", "rowless.json"), "has no threshold from the training set"),
    Refused(
        "two thresholds",
        ("--evaluation", "report.json", "--evaluation", "later.json"),
        "its threshold is 0.5, that of",
    ),
    Refused("size", ("--threshold", "0.5", "--size", "31"), "size 31x31: must be a multiple of 2"),
    Refused("small", ("--threshold", "0.5", "--golden", "small.npy"), "smaller than a patch"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_cannot_be_is_one_line(case, folder, tmp_path, capsys):
    flags = [str(folder / flag) if (folder / flag).is_file() else flag for flag in case.flags]
    call = [str(folder / "last.ckpt"), "-o", str(tmp_path / "out")]
    assert main([*call, "--golden", str(folder / "eye.npy"), *flags]) == 2
    assert case.says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("ipn_v2_plus", OPTIONS | {"global_widths": [4, 8]}, "sees the whole plane"),
        ("ipn", {"channels": 3, "width": 4, "poolings": [1]}, "takes projections"),
    ],
)
def test_what_an_artifact_cannot_run_is_one_line(name, options, says, folder, tmp_path, capsys):
    path = tmp_path / "last.ckpt"
    save_slim(path, Checkpoint(name, create(name, **options), options, {}))
    call = [str(path), "-o", str(tmp_path / "out"), "--threshold", "0.5"]
    assert main([*call, "--golden", str(folder / "eye.npy")]) == 2
    assert says in capsys.readouterr().err
