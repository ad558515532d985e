"""Calibration of probabilities whose truth is known."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from artifact_folders import called
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from train.__main__ import main
from train.calibration import calibrated, fit_temperature, reliability
from train.histogram import Histogram, quantise
from train.models import MODELS, create
from train.models.checkpoint import Checkpoint, load_checkpoint

WEIGHTS = "train/weights/m2unet_drive.ckpt"


def _pixels(temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `temperature` times too large for their labels."""
    random = np.random.default_rng(0)
    logits = random.normal(-1, 2, 200_000)
    label = random.random(logits.size) < 1 / (1 + np.exp(-logits))
    return (1 / (1 + np.exp(-logits * temperature))).astype(np.float32), label


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_found_and_repairs(temperature):
    probability, label = _pixels(temperature)
    histogram = Histogram.of(quantise(probability), label)
    found = fit_temperature(histogram)
    assert found == pytest.approx(temperature, rel=0.03)
    assert fit_temperature(histogram.weighed()) == pytest.approx(found, rel=1e-3)
    before, after = reliability(histogram), reliability(histogram, found)
    assert after.ece < 0.005
    assert after.nll <= before.nll


def test_reliability_is_scikit_learns():
    probability, label = _pixels(3.0)
    found = reliability(Histogram.of(quantise(probability), label))
    observed, confidence = calibration_curve(label, probability, n_bins=15)
    assert [one.observed for one in found.bins] == pytest.approx(observed)
    assert [one.mean_probability for one in found.bins] == pytest.approx(confidence, abs=5e-5)
    assert sum(one.count for one in found.bins) == label.size
    counts = np.histogram(probability, np.linspace(0, 1, 16))[0]
    ece = (np.abs(observed - confidence) * counts).sum() / label.size
    assert found.ece == pytest.approx(ece, abs=5e-5)
    assert found.nll == pytest.approx(log_loss(label, probability.astype(float)), rel=1e-3)


def test_reliability_of_two_known_bins():
    probability = np.array([0.1] * 10 + [0.9] * 10, np.float32)
    label = np.array([1] * 2 + [0] * 8 + [1] * 6 + [0] * 4, bool)
    found = reliability(Histogram.of(quantise(probability), label))
    assert [one.observed for one in found.bins] == [0.2, 0.6]
    assert found.ece == pytest.approx((10 * 0.1 + 10 * 0.3) / 20, abs=1e-4)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_head_takes_the_temperature(name):
    network = create(name).eval()
    image = torch.randn(1, 3, 2 * network.multiple, 2 * network.multiple)
    with torch.inference_mode():
        before = network(image)
        folded = calibrated(Checkpoint(name, network), 2.0)
        again = calibrated(folded, 1.5)
        assert torch.allclose(folded.network(image) * 3, before, atol=1e-4)
    assert folded.run == {"temperature": 2.0}
    assert again.run == {"temperature": 3.0}


@pytest.mark.data
@pytest.mark.slow
def test_the_command_writes_a_checkpoint_that_remembers(data, tmp_path):
    output = tmp_path / "calibrated.ckpt"
    command = [sys.executable, "-W", "ignore", "-m", "train", "calibrate", WEIGHTS]
    command += ["--dataset", "drive", "--data", str(data), "-o", str(output)]
    done = subprocess.run(
        [*command, "--fov-diameter", "130"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    run = load_checkpoint(output).run
    assert f"temperature {run['temperature']:.3f}" in done.stdout
    assert run["calibrated_on"] == ["drive"]
    assert dataclasses.asdict(load_checkpoint(output))["name"] == "m2unet"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["none.ckpt", "--dataset", "drive"], "none.ckpt: no such checkpoint"),
        ([WEIGHTS, "--dataset", "stare"], "unknown data set 'stare'"),
        ([WEIGHTS, "--dataset", "drive", "--fov-diameter", "0"], "more than 0 px"),
    ],
)
def test_faults_are_one_line(options, says, tmp_path):
    done = called(main, "calibrate", *options, "--data", tmp_path, "-o", tmp_path / "x.ckpt")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
