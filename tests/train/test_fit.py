"""Training as a user runs it: a process, killed and resumed."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from train.models.checkpoint import load_network

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG = Path("train/configs/m2unet_drive.yaml")
SMALL = ["--data.validation=18", "--data.batch_size=1", "--trainer.enable_progress_bar=false"]


def _command(data: Path, output: Path, *more: str) -> list[str]:
    fit = [sys.executable, "-W", "ignore", "-m", "train", "fit", "--config", str(CONFIG)]
    return [*fit, "--data", str(data), *more, "--output", str(output), "--seed", "7", *SMALL]


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


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--data.dataset", "stare"], "unknown data set 'stare'"),
        (["--model.model", "vgg"], "unknown model 'vgg'"),
        (["--encoder-weights", "none.pth"], "none.pth: no such weights file"),
        (["--output", "--resume"], "--output needs a value"),
        (["--resume"], "nothing to resume"),
        (["--data=nowhere"], "nowhere: no such folder"),
    ],
)
def test_wrong_calls_are_one_line(data, tmp_path, more, says):
    failed = _run(_command(data, tmp_path / "run", "--trainer.max_epochs", "1", *more))
    assert failed.returncode == 2, failed.stderr
    assert says in failed.stderr
    assert "Traceback" not in failed.stderr
