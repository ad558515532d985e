"""`python -m train octa` from rendered eyes to a table."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from octa_eyes import COUNT, make_eyes

import train
from edge_vessel.errors import UsageError
from train.data.octa_synth import read_eyes
from train.models import create
from train.models.checkpoint import load_checkpoint
from train.octa.command import octa
from train.octa.report import read_reports
from train.octa.settings import read_settings

_RESULTS = Path(train.__file__).parent / "results"
pytestmark = pytest.mark.usefixtures("one_thread")

CONFIGS = sorted(Path("train/configs").glob("*_octa_synth.yaml"))
_OPTIONS = "{width: 4, poolings: [2, 4], plane_widths: [4, 8]}"
_FIRST = f"model: ipn_v2\nmodel_options: {_OPTIONS}\n"
_SECOND = (
    "model: ipn_v2_plus\nmodel_options: {width: 4, poolings: [2, 4], plane_widths: [4, 8], "
    "global_widths: [4, 8]}\nwhole_steps: 3\n"
)
_PLANE = "model: plane_unet\nmodel_options: {plane_widths: [4, 8]}\ninput: projection\n"
_SIZES = "steps: 4\nbatch_size: 2\npatch_px: 32\nwindow_px: 32\ntile_px: 16\nthreshold_eyes: 1\n"


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    return make_eyes(tmp_path_factory.mktemp("octa") / "eyes")


def _fit(folder, name, content, eyes, *more):
    config = folder / f"{name}.yaml"
    config.write_text(content + _SIZES)
    octa(
        ["fit", "--config", str(config), "--eyes", str(eyes), "--output", str(folder / name), *more]
    )
    return folder / name / "last.ckpt"


def _evaluate(checkpoint, eyes):
    output = checkpoint.parent / "evaluation.json"
    pictures = checkpoint.parent / "pictures"
    call = ["evaluate", "--checkpoint", str(checkpoint), "--eyes", str(eyes)]
    octa([*call, "--output", str(output), "--pictures", str(pictures)])
    assert len(list(pictures.glob("*.png"))) == COUNT - round(0.7 * COUNT)
    return output


def test_both_stages_and_the_projection_end_in_one_table(tmp_path, eyes, capsys):
    first = _fit(tmp_path, "first", _FIRST, eyes)
    second = _fit(tmp_path, "second", _SECOND, eyes, "--first-stage", str(first))
    plane = _fit(tmp_path, "plane", _PLANE, eyes)
    one, two = (load_checkpoint(path) for path in (first, second))
    stage = two.network.local.state_dict()
    assert all(torch.equal(stage[key], value) for key, value in one.network.state_dict().items())
    assert two.run["first_stage"] == "first"
    assert (second.parent / "curve.csv").read_text().count("whole") == 3
    outputs = [_evaluate(path, eyes) for path in (first, second, plane)]
    report = json.loads(outputs[1].read_text())
    assert report["data"].startswith("synthetic volumes")
    assert report["borders"]["tile_px"] == 16
    assert json.loads(outputs[2].read_text())["depth"] == 1
    capsys.readouterr()
    octa(["report", *map(str, outputs)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| synthetic volumes |")
    assert {line.split(" | ")[0] for line in lines[2:5]} == {
        "| ipn_v2",
        "| ipn_v2_plus",
        "| plane_unet",
    }
    assert lines[6].startswith("| published, OCTA-500")


def test_the_same_seed_ends_with_the_same_weights(tmp_path, eyes):
    found = []
    for name in ("one", "again"):
        network = load_checkpoint(_fit(tmp_path, name, _FIRST, eyes, "--seed", "7")).network
        found.append(network.state_dict())
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_configuration_names_a_network(path):
    settings = read_settings(path)
    assert path.stem.startswith(f"{settings.model}_")
    assert next(create(settings.model, **settings.model_options).parameters()).requires_grad


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("steps: 3\n", "names no model"),
        ("model: [", "not readable as YAML"),
        ("model: ipn\ndepth: 8\n", "unknown setting 'depth'"),
        ("model: ipn\nlearning_rate: high\n", "'high' is no number"),
        ("model: ipn\nsteps: 2.5\n", "steps: 2.5 is no whole number"),
        ("model: ipn\nsteps: true\n", "steps: True is no whole number"),
        ("model: ipn\nsteps: 0\n", "steps: 0 is not 1 to inf"),
        ("model: ipn\nsplit_seed: -1\n", "split_seed: -1 is not 0 to inf"),
        ("model: ipn\noverlap: 1.0\n", "overlap: 1.0 is not 0 to 0.95"),
        ("model: ipn\nlearning_rate: .nan\n", "learning_rate: nan is not"),
        ("model: ipn\nmodel_options: 3\n", "model_options: 3 is no dict"),
        ("model: ipn\nloss: 3\n", "loss: 3 is no str"),
        ("model: ipn\ninput: photograph\n", "known: volume, projection"),
        ("model: m2unet\n", "not for OCTA"),
        ("model: ipn\n", "made for 2 channels of depth 160, the rendered eyes have 2 of 8"),
        (f"model: ipn_v2\nmodel_options: {_OPTIONS}\npatch_px: 31\n", "a multiple of 2"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(tmp_path, eyes, content, says):
    config = tmp_path / "c.yaml"
    config.write_text(content)
    call = ["fit", "--config", str(config), "--eyes", str(eyes), "--output", str(tmp_path / "run")]
    with pytest.raises(UsageError, match=says) as caught:
        octa(call)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_written_over_and_a_first_stage_has_to_fit(tmp_path, eyes):
    first = _fit(tmp_path, "first", _FIRST, eyes)
    with pytest.raises(UsageError, match="exists"):
        _fit(tmp_path, "first", _FIRST, eyes)
    with pytest.raises(UsageError, match="has one stage"):
        _fit(tmp_path, "other", _FIRST, eyes, "--first-stage", str(first))
    plane = _fit(tmp_path, "plane", _PLANE, eyes)
    with pytest.raises(UsageError, match="is an ipn_v2, not plane_unet"):
        _fit(tmp_path, "second", _SECOND, eyes, "--first-stage", str(plane))


def test_eyes_of_a_training_are_never_for_test(tmp_path, eyes):
    """Another split, in settings or by fewer eyes, would put training eyes among those for test."""
    first = _fit(tmp_path, "first", _FIRST, eyes)
    with pytest.raises(UsageError, match="trained on other eyes than this run's"):
        _fit(tmp_path, "s", _SECOND + "split_seed: 3\n", eyes, "--first-stage", str(first))
    fewer = tmp_path / "fewer"
    shutil.copytree(eyes, fewer)
    record = json.loads((fewer / "render.json").read_text())
    for name in ("volumes", "projections", "labels"):
        np.save(fewer / f"{name}.npy", np.load(fewer / f"{name}.npy")[1:])
    (fewer / "render.json").write_text(json.dumps(record | {"ids": record["ids"][1:]}))
    with pytest.raises(UsageError, match=r"last\.ckpt: was trained on other eyes"):
        _evaluate(first, fewer)


def test_half_rendered_eyes_are_one_line(tmp_path, eyes):
    half = tmp_path / "half"
    shutil.copytree(eyes, half)
    (half / "render.json").unlink()
    with pytest.raises(UsageError, match="make them with `python -m train octa render`"):
        read_eyes(half)


def test_eyes_of_another_number_are_one_line(tmp_path, eyes):
    torn = tmp_path / "torn"
    shutil.copytree(eyes, torn)
    np.save(torn / "labels.npy", np.load(torn / "labels.npy")[1:])
    with pytest.raises(UsageError, match=r"of its 4 eyes it has \[4, 4, 3\]"):
        read_eyes(torn)


def test_a_full_disk_ends_a_rendering_in_one_line(tmp_path):
    """Its blocks are reserved before a voxel is rendered; a limit stands for the disk."""
    code = (
        "import resource, signal, sys; from pathlib import Path; "
        "from train.data.octa_synth import RenderRecord, render_all; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); "
        f"next(render_all([Path('a')], Path({str(tmp_path)!r}), RenderRecord(['a'], 0, 32, 5)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DeviceError: " in done.stderr
    assert "cannot be written: File too large" in done.stderr


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "asr_ipn_v2"),
        ({"plane": "unet"}, "asr_ipn_v2"),
        ({"plane": "unet3plus"}, "asr_ipn_v2 with unet3plus"),
        ({"separable": False}, "asr_ipn_v2 without separable"),
        ({"separable": True, "attention": False}, "asr_ipn_v2 without attention"),
    ],
)
def test_a_table_tells_the_variants_of_a_network_apart(tmp_path, options, name):
    content = json.loads((_RESULTS / "octa_asr_ipn_v2_0.json").read_text())
    (tmp_path / "e.json").write_text(json.dumps(content | {"options": options}))
    (found,) = read_reports([tmp_path / "e.json"])
    assert found.name == name


@pytest.mark.parametrize("content", ["", "{}", '{"rows": []}'])
def test_what_is_no_evaluation_is_one_line(tmp_path, content):
    path = tmp_path / "e.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="no evaluation of"):
        read_reports([path])


@pytest.mark.parametrize("shape", ["volume", "projection"])
def test_costs_name_the_ablation(shape, capsys):
    octa(["networks", "--size", "8", "--input", shape, "--json"])
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    plain, both = found["ipn_v2"], found["asr_ipn_v2 (both)"]
    thin, attentive = found["ipn_v2 + separable"], found["ipn_v2 + cbam"]
    for name in ("parameters", "multiply_adds"):
        assert thin[name] < both[name] < plain[name] < attentive[name]
    assert both["depth"] == (160 if shape == "volume" else 1)


@pytest.mark.data
def test_graphs_are_rendered_as_a_process(tmp_path, data):
    command = [sys.executable, "-m", "train", "octa", "render", "--data", str(data), "--eyes", "1"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "eyes"), "--depth", "16", "--without", "stripes"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    eyes = read_eyes(tmp_path / "eyes")
    assert eyes.volumes.shape == (1, 2, 16, 304, 304)
    assert eyes.record.averaged == 10
    assert [eyes.record.appearance.stripes, eyes.record.appearance.tails] == [False, True]
    vessels = np.asarray(eyes.labels[0])
    inner = eyes.projections[0, 1]
    assert inner[vessels].mean() > 2 * inner[~vessels].mean()
