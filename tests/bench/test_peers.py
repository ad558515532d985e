"""The comparison with other engines: real engines, real processes."""

import json
from pathlib import Path

import onnxruntime
import pytest
from artifact_folders import ROOT, model, python, write
from stored import stored

from bench.peers.document import PeersRun
from bench.peers.networks import Networks

TFLITE = Path(__file__).with_name("tiny.tflite")
CHECKPOINT = ROOT / "train" / "weights" / "m2unet_fundus.ckpt"
ENGINES = ["onnxruntime", "openvino", "ncnn", "litert", "opencv"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network as an artifact and as `network.onnx`; as TFLite litert-torch wrote it."""
    folder = tmp_path_factory.mktemp("peers")
    write(folder / "tiny")
    (folder / "network.onnx").write_bytes(model())
    return folder


def peers(tiny: Path, *more: str | Path):
    return python(
        "-m", "bench", "peers", tiny / "tiny", "--allow-unsigned", "--force", *more
    )  # fmt: skip


@pytest.mark.slow
def test_every_engine_computes_the_same_and_is_timed(tiny: Path) -> None:
    output = tiny / "peers.json"
    done = peers(
        tiny, "--onnx", tiny / "network.onnx", "--tflite", TFLITE, "--rounds", "20",
        "--starts", "2", "--output", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = stored(output)
    assert isinstance(run, PeersRun)
    ours, *theirs = run.engines
    assert (ours.engine, ours.ratio) == ("edge_vessel tiny-16", None)
    assert ours.version == f"onnx {onnxruntime.__version__}", "what ran, not what was built for"
    assert run.starts == 2
    assert [one.engine for one in theirs] == ENGINES
    for one in theirs:
        assert one.largest_difference < 1e-5
        assert one.ratio is not None
        assert one.ratio.low <= one.ratio.median <= one.ratio.high
        assert one.inference.count == 20
        assert one.peak_rss_mb > 20
    (out,) = run.left_out
    assert (out.engine, "give --checkpoint" in out.reason) == ("pytorch", True)
    told = python("-m", "bench", "report", output)
    assert "left out: pytorch: no network for it" in told.stdout
    rows = (tiny / "peers.json.samples.csv").read_text().splitlines()
    assert rows[0].startswith("round,edge_vessel tiny-16_ms,onnxruntime_ms")
    assert len(rows) == 21


@pytest.mark.slow
def test_pytorch_and_what_is_made_of_a_checkpoint(tmp_path: Path) -> None:
    built = python(
        "-W", "ignore", "-m", "compile", CHECKPOINT, "-o", tmp_path / "a", "--size", "64",
        "--evaluation", ROOT / "train" / "results" / "m2unet_fundus_on_drive_950px.json",
        "--golden", ROOT / "samples" / "chase_db1_07L.jpg",
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    done = python(
        "-m", "bench", "peers", tmp_path / "a", "--allow-unsigned", "--force", "--checkpoint",
        CHECKPOINT, "--engines", "pytorch,ncnn,opencv", "--rounds", "2", "--starts", "1",
        "--image", ROOT / "samples" / "chase_db1_07L.jpg", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["engine"] for row in found["engines"][1:]] == ["pytorch", "ncnn", "opencv"]
    assert all(row["largest_difference"] < 1e-3 for row in found["engines"])
    assert found["engines"][1]["ratio"] is None, "two rounds carry no interval"
    assert found["image"] == "chase_db1_07L.jpg"


def test_another_network_and_a_damaged_one_are_left_out(tiny: Path) -> None:
    other = tiny / "other.onnx"
    other.write_bytes(model(stride=2))
    damaged = tiny / "damaged.tflite"
    damaged.write_bytes(TFLITE.read_bytes()[:500])
    done = peers(
        tiny, "--onnx", other, "--tflite", damaged, "--engines", "onnxruntime,litert", "--rounds",
        "1", "--starts", "1",
    )  # fmt: skip
    assert done.returncode == 2
    assert "error: no other engine can be measured: onnxruntime: gives (1, 1, 8, 8), not a map" in (
        done.stderr
    )
    assert "litert" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "float32"),
    [
        (Networks(checkpoint=CHECKPOINT), {"checkpoint", "onnx", "ncnn", "tflite"}),
        (Networks(CHECKPOINT, onnx=TFLITE), {"checkpoint", "tflite"}),
        (Networks(CHECKPOINT, ncnn=TFLITE, tflite=TFLITE), {"checkpoint", "onnx"}),
    ],
)
def test_which_networks_are_float32_for_sure(given: Networks, float32: set[str]) -> None:
    forms = ("checkpoint", "onnx", "ncnn", "tflite")
    assert {form for form in forms if given.float32(form)} == float32


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--onnx", "none.onnx"), "none.onnx: no such file"),
        (("--ncnn", "README.md"), "README.bin: no such file"),
        (("--engines", "onnx"), "--engines: 'onnx': one or more of onnxruntime,"),
        (("--threads", "1000"), "--threads 1000: from 1 to"),
        (("--rounds", "0"), "--rounds: '0': a whole number from 1"),
        (("--output", "none/r.json"), "none/r.json: no such folder"),
        (("--engines", "pytorch"), "no other engine can be measured: "),
        (("--image", "samples/LICENSE"), "error: samples/LICENSE"),
    ],
)
def test_what_cannot_be_measured_is_one_line(tiny: Path, more: tuple[str, ...], says: str) -> None:
    done = peers(tiny, *more)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if "warning" not in line]
    assert len(errors) == 1
    assert says in errors[0]
