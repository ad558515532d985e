"""A training of OCTA that is stopped and goes on."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
import yaml
from octa_eyes import make_eyes

from edge_vessel.errors import UsageError
from train.data.octa_synth import read_eyes
from train.models.checkpoint import load_checkpoint
from train.octa.fit import Run, fit
from train.octa.settings import Settings

pytestmark = pytest.mark.usefixtures("one_thread")

_OPTIONS = {"width": 4, "poolings": [2, 4], "plane_widths": [4, 8]}
_CHECKPOINT = Path("train/weights/asr_ipn_v2_octa_synth.ckpt")
_SIZES = {"patch_px": 32, "window_px": 32, "tile_px": 16}
_ONE = Settings("asr_ipn_v2", _OPTIONS, steps=9, **_SIZES)
_TWO = Settings(
    "ipn_v2_plus", _OPTIONS | {"global_widths": [4, 8]}, steps=4, whole_steps=5, **_SIZES
)


class _StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_eyes(tmp_path_factory.mktemp("octa") / "eyes")


@pytest.fixture(scope="module")
def eyes(folder):
    return read_eyes(folder)


def _stop(run, stage, after):
    """Runs up to so many steps of a stage."""

    def shown(descent):
        if descent.stage != stage:
            yield from descent
            return
        yield from islice(descent, after)
        raise _StoppedError

    with pytest.raises(_StoppedError):
        fit(run, shown)


def _outcome(run):
    """Weights, and the curve but for its seconds."""
    curve = (run.output / "curve.csv").read_text().splitlines()
    network = load_checkpoint(run.output / "last.ckpt").network
    return network.state_dict(), [line.rpartition(",")[0] for line in curve]


def _assert_same(found, expected):
    (weights, curve), (other_weights, other_curve) = found, expected
    assert curve == other_curve
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[key], other_weights[key]) for key in weights)


@pytest.mark.parametrize(
    ("settings", "stage", "after"),
    [
        (_ONE, "patches", 3),
        (_ONE, "patches", 4),
        (_ONE, "patches", 9),
        (_TWO, "patches", 4),
        (_TWO, "whole", 1),
        (_TWO, "whole", 3),
    ],
)
def test_a_stopped_run_ends_as_one_that_was_not(tmp_path, eyes, settings, stage, after):
    whole = Run(settings, eyes, tmp_path / "whole", seed=3, save_every=2)
    fit(whole, iter)
    run = replace(whole, output=tmp_path / "stopped")
    _stop(run, stage, after)
    assert not (run.output / "last.ckpt").exists()
    fit(replace(run, resume=True), iter)
    _assert_same(_outcome(run), _outcome(whole))
    assert not (run.output / "progress.ckpt").exists()


def test_a_killed_process_is_continued(tmp_path, folder, eyes):
    quick = {"plane_widths": [4, 8]}
    settings = Settings("plane_unet", quick, "projection", steps=150, **_SIZES)
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(vars(settings)))
    run = Run(settings, eyes, tmp_path / "killed")
    call = [sys.executable, "-m", "train", "octa", "fit", "--config", config, "--eyes", folder]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # as the rest of this file
    process = subprocess.Popen([*call, "--output", run.output, "--save-every", "7"], env=one_thread)
    while not (run.output / "progress.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    fit(replace(run, resume=True), iter)
    whole = replace(run, output=tmp_path / "whole")
    fit(whole, iter)
    _assert_same(_outcome(run), _outcome(whole))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seed": 4}, "seed was 3, is 4"),
        ({"settings": replace(_TWO, steps=5)}, "steps was 4, is 5"),
        (
            {"settings": replace(_TWO, model_options=_OPTIONS)},
            "model_options was {.*'global_widths",
        ),
        (
            {"settings": replace(_TWO, split_seed=3)},
            "split_seed was 0, is 3; another training_eyes",
        ),
    ],
)
def test_a_run_goes_on_as_it_began_or_not_at_all(tmp_path, eyes, changed, says):
    run = Run(_TWO, eyes, tmp_path / "run", seed=3, save_every=2)
    _stop(run, "patches", 2)
    with pytest.raises(UsageError, match=f"run began otherwise: {says}") as caught:
        fit(replace(run, resume=True, **changed), iter)
    assert "\n" not in str(caught.value)


def test_other_eyes_and_another_first_stage_are_refused(tmp_path, eyes):
    firsts = []
    for seed in (0, 1):
        first = Run(replace(_ONE, model="ipn_v2", steps=1), eyes, tmp_path / f"{seed}", seed)
        fit(first, iter)
        firsts.append(first.output / "last.ckpt")
    run = Run(_TWO, eyes, tmp_path / "run", first_stage=firsts[0], save_every=2)
    _stop(run, "whole", 2)
    with pytest.raises(UsageError, match="otherwise: another first_stage; another first_stage_sha"):
        fit(replace(run, resume=True, first_stage=firsts[1]), iter)
    other = replace(eyes, record=replace(eyes.record, seed=1))
    with pytest.raises(UsageError, match="otherwise: another rendering"):
        fit(replace(run, resume=True, eyes=other), iter)
    fit(replace(run, resume=True), iter)


def test_what_a_folder_holds_decides(tmp_path, eyes):
    run = Run(_ONE, eyes, tmp_path / "run", save_every=2)
    resumed = replace(run, resume=True)
    with pytest.raises(UsageError, match="nothing to resume: start without --resume"):
        fit(resumed, iter)
    _stop(run, "patches", 2)
    with pytest.raises(UsageError, match="continue it with --resume"):
        fit(run, iter)
    progress = run.output / "progress.ckpt"
    content = progress.read_bytes()
    for damaged in (b"", content[:100], content[:-100], b"text\n", _CHECKPOINT.read_bytes()):
        progress.write_bytes(damaged)
        with pytest.raises(UsageError, match="not the progress of `train octa fit`") as caught:
            fit(resumed, iter)
        assert "\n" not in str(caught.value)
    progress.write_bytes(content)
    fit(resumed, iter)
    with pytest.raises(UsageError, match="the run is done"):
        fit(resumed, iter)
