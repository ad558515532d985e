"""Training as a user runs it: a process, killed and resumed."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from artifact_folders import called
from needs import unavailable
from small_run import SMALL_CONFIG

from train.__main__ import main
from train.crops import CropOptions
from train.datamodule import FundusDataModule
from train.models import create
from train.models.checkpoint import Checkpoint, load_checkpoint, load_network, save_slim
from train.module import SegmentationModule
from train.schedules import schedule

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG = Path("train/configs/m2unet_drive.yaml")
# The rest is of `train octa fit`.
CONFIGS = [
    path for path in sorted(CONFIG.parent.glob("*.yaml")) if not path.stem.endswith("_octa_synth")
]
SMALL = ["--data.validation=18", "--data.batch_size=1", "--trainer.enable_progress_bar=false"]
SMALL += ["--trainer.precision=32-true"]  # not every processor has bfloat16


def _command(data: Path, output: Path, *more: str) -> list[str]:
    fit = [sys.executable, "-W", "ignore", "-m", "train", "fit", "--config", str(CONFIG)]
    return [*fit, "--data", str(data), *SMALL, *more, "--output", str(output), "--seed", "7"]


def _run(command: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def _weights(output: Path) -> dict[str, torch.Tensor]:
    return load_network(output / "last.ckpt")[1].state_dict()


def test_a_killed_run_resumed_ends_where_an_unbroken_one_does(data, tmp_path):
    epochs = ["--trainer.max_epochs", "4"]
    whole = _run(_command(data, tmp_path / "whole", *epochs))
    assert whole.returncode == 0, whole.stderr

    broken = tmp_path / "broken"
    process = subprocess.Popen(
        _command(data, broken, *epochs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (broken / "last.ckpt").exists():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    refused = _run(_command(data, broken, *epochs))
    assert refused.returncode == 2
    assert "--resume" in refused.stderr

    resumed = _run(_command(data, broken, *epochs, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    slim = [sys.executable, "-m", "train", "slim", str(broken / "last.ckpt"), "-o"]
    assert _run([*slim, str(tmp_path / "slim.ckpt")]).returncode == 0
    expected, found = _weights(tmp_path / "whole"), load_network(tmp_path / "slim.ckpt")[1]
    found = found.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    with (broken / "curves" / "version_1" / "metrics.csv").open() as file:
        epochs_run = [row["epoch"] for row in csv.DictReader(file)]
    assert epochs_run[-1] == "3"
    assert "0" not in epochs_run, "it began anew"
    _says_what_it_was(tmp_path / "whole")


def _says_what_it_was(output: Path) -> None:
    record = json.loads((output / "run.json").read_text())
    run = load_checkpoint(output / "last.ckpt").run
    assert {name: run[name] for name in record} == record
    assert (run["model"], run["data"], run["seed"], run["epochs"]) == ("m2unet", "drive", 7, 4)
    assert run["images_seen"] == 4 * 2
    assert len(record["fit"]["drive"]) == 2
    assert len(record["data_sha256"]["drive"]) == 64
    config = yaml.safe_load((output / "config.yaml").read_text())
    assert config["model"]["schedule"] == "cosine", "defaults belong to the record"


def test_two_processes_share_the_crops(data, tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(SMALL_CONFIG)
    launch = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
    launch += ["--nproc_per_node", "2", "-m", "train", "fit", "--config", str(config)]
    launch += ["--data", str(data), "--output", str(tmp_path / "run"), "--seed", "3"]
    done = _run([*launch, "--trainer.accelerator=cpu", "--trainer.devices=2"])
    assert done.returncode == 0, done.stderr
    run = load_checkpoint(tmp_path / "run" / "last.ckpt").run
    assert (run["processes"], run["images_seen"]) == (2, 16)
    with (tmp_path / "run" / "curves" / "version_0" / "metrics.csv").open() as file:
        assert {row["step"] for row in csv.DictReader(file)} == {"3"}, "4 steps of 2 x 2 crops"


def test_several_data_sets_a_start_and_averaged_weights(data, tmp_path):
    """A run from a start of its own: what `m2unet_fundus` asks for."""
    config = tmp_path / "small.yaml"
    config.write_text(SMALL_CONFIG)
    start = tmp_path / "start.ckpt"
    torch.manual_seed(0)
    save_slim(start, Checkpoint("wnet_unet", create("wnet_unet")))
    command = [sys.executable, "-W", "ignore", "-m", "train", "fit", "--config", str(config)]
    command += ["--data", str(data)]
    command += ["--data.dataset=drive+chase_db1", "--data.validation=7", "--data.crops.camera=0.5"]
    command += [f"--model.start_from={start}"]
    averaging = "lightning.pytorch.callbacks.EMAWeightAveraging"
    average = [f"--trainer.callbacks={averaging}", "--trainer.callbacks.decay=0.9"]
    done = _run([*command, *average, "--output", str(tmp_path / "run")])
    assert done.returncode == 0, done.stderr
    found = load_checkpoint(tmp_path / "run" / "last.ckpt")
    assert found.run["data"] == "drive+chase_db1"
    assert load_checkpoint(tmp_path / "run" / "best.ckpt").run["epochs"] == 1
    before = load_checkpoint(start).network.state_dict()
    moved = [not torch.equal(before[name], now) for name, now in _weights(tmp_path / "run").items()]
    assert any(moved)
    call = command[command.index("fit") :]
    other = called(main, *call, "--model.model=wnet", "--output", str(tmp_path / "other"))
    assert other.returncode == 2, other.stderr
    assert "holds wnet_unet, not wnet" in other.stderr


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_configuration_names_what_there_is(path):
    config = yaml.safe_load(path.read_text())
    assert path.stem.startswith(config["model"]["model"] + "_")
    datamodule = {**config["data"]}
    crops = datamodule.pop("crops", None)
    FundusDataModule(**datamodule, crops=CropOptions(**crops) if crops else None)
    module = SegmentationModule(**config["model"])
    module.network.train()(torch.rand(2, 3, 64, 64))
    rates = schedule(module.hparams["schedule"], torch.optim.SGD(module.parameters(), 0.1), 100, 2)
    assert rates["scheduler"] is not None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--data.dataset", "stare"], "unknown data set 'stare'"),
        (["--model.model", "vgg"], "unknown model 'vgg'"),
        (["--encoder-weights", "none.pth"], "none.pth: no such weights file"),
        (["--output", "--resume"], "--output needs a value"),
        (["--resume"], "nothing to resume"),
        (["--model.start_from", "none.ckpt"], "none.ckpt: no such checkpoint"),
        (["--model.loss", "focal"], "unknown loss 'focal'; known: bce, bce_jaccard"),
        (["--model.optimiser", "sgd"], "unknown optimiser 'sgd'; known: adam, adamw"),
        (["--data.crops.count=0"], "--data.crops.count 0: 1 or more"),
        (["--data.crops.count=1", "--data.batch_size=2"], "2: more than the 1 items"),
        (["--model.model=wnet_unet", "--encoder-weights", "w.pth"], "takes no ImageNet weights"),
        (["--data.workers=-1"], "--data.workers -1: 0 or more"),
        (["--data.crops.size_px=100"], "--data.crops.size_px 100: a multiple of 16"),
        (["--data.crops.fov_diameter_px=[9,5]"], "fov_diameter_px [9.0, 5.0]: the smaller first"),
        (["--data.dataset", "drive+chase_db1"], "leaves nothing of 8 records of chase_db1"),
        (["--data.batch_size=0"], "--data.batch_size 0: 1 or more"),
        (["--data.crops.camera=2"], "--data.crops.camera 2.0: a share"),
        (["--data.crops.fov_diameter_px=[1,5]"], "both 32.0 px or more"),
        (["--data.crops.usual_diameter_px=0"], "usual_diameter_px 0.0: 32.0 px or more"),
        (["--trainer.max_epochs=-1"], "--trainer.max_epochs -1: 1 or more"),
        (["--data=nowhere"], "nowhere: no such folder"),
    ],
)
def test_wrong_calls_are_one_line(data, tmp_path, capfd, more, says):
    """In this process: `main` is all that the command runs."""
    call = _command(data, tmp_path / "run", "--trainer.max_epochs", "1", *more)
    assert main(call[call.index("fit") :]) == 2
    told = capfd.readouterr().err
    assert says in told.splitlines()[-1]
    assert "Traceback" not in told


def test_a_run_of_another_kind_or_a_damaged_one_is_not_resumed(data, tmp_path):
    config, output = tmp_path / "small.yaml", tmp_path / "run"
    config.write_text(SMALL_CONFIG.replace("constant", "plateau"))
    call = ["fit", "--config", str(config), "--data", str(data), "--output", str(output)]
    call += ["--trainer.max_epochs", "2"]
    assert called(main, *call).returncode == 0
    last = output / "last.ckpt"
    content = torch.load(last, weights_only=True)
    assert content["lr_schedulers"][0]["last_epoch"] == 2, "a check of the plateau is missing"

    def refused(*more: str) -> str:
        failed = called(main, *call, "--resume", *more)
        assert failed.returncode == 2, failed.stderr
        assert "Traceback" not in failed.stderr
        return failed.stderr

    assert "model was wnet_unet, is wnet" in refused("--model.model", "wnet")
    assert "batch_size was 2, is 4" in refused("--data.batch_size", "4")
    assert "seed was 0, is 5" in refused("--seed", "5")
    assert "data was drive, is chase_db1" in refused(
        "--data.dataset", "chase_db1", "--data.validation", "7"
    )
    assert "learning_rate was 0.001, is 0.1" in refused("--model.learning_rate", "0.1")
    assert "max_epochs was 2, is 3" in refused("--trainer.max_epochs", "3")
    last.write_bytes(last.read_bytes()[:-100])
    assert f"{last}: not a checkpoint of `train fit`" in refused()


def test_a_full_disk_is_one_line(data, tmp_path):
    disk, config = tmp_path / "disk", tmp_path / "small.yaml"
    disk.mkdir()
    config.write_text(SMALL_CONFIG)
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("mounting a small file system takes root")
    try:
        command = [sys.executable, "-W", "ignore", "-m", "train", "fit", "--config", str(config)]
        failed = _run([*command, "--data", str(data), "--output", str(disk / "run")])
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert failed.returncode == 3, failed.stderr
    assert "No space left on device: make room" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_networks_options_reach_them_as_they_are_written(data, tmp_path):
    """DropBlock's size must stay whole on its way through the command line."""
    output = tmp_path / "run"
    config = tmp_path / "small.yaml"
    config.write_text(SMALL_CONFIG)
    command = [sys.executable, "-W", "ignore", "-m", "train", "fit", "--config", str(config)]
    command += ["--data", str(data), "--output", str(output), "--seed", "20260101"]
    options = '{"keep_rate": 0.8, "block_size": 7, "widths": [4, 8]}'
    done = _run([*command, "--model.model", "skunet", "--model.model_options", options])
    assert done.returncode == 0, done.stderr
    assert load_checkpoint(output / "last.ckpt").options == json.loads(options)
