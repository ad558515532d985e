"""A kill and a full disk at every call that changes the disk: the old release runs, or the new."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from artifact_folders import ROOT
from needs import unavailable
from slot_boards import Board

from edge_vessel.slots import state as states
from edge_vessel.slots.install import stage
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.state import State

HERE = Path(__file__).parent
BUNDLED = "m2unet-fundus-960"


@pytest.fixture(scope="module")
def shim(tmp_path_factory) -> Path:
    """The library that stands between Python and the C library."""
    built = tmp_path_factory.mktemp("shim") / "fault_shim.so"
    command = ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(built)]
    try:
        subprocess.run([*command, str(HERE / "fault_shim.c"), "-ldl"], check=True)
    except FileNotFoundError:
        unavailable("no gcc: faults are injected by a library in C")
    return built


def running(board: Board) -> None:
    """Version 2 with version 1 behind it: an installation has to take version 1 away."""
    board.put(board.build(1))
    board.put(board.build(2))


def staged_afresh(board: Board) -> None:
    """Nothing runs yet."""
    board.layout.root.mkdir()
    stage(board.layout, board.open(board.build(3)))


def staged(board: Board) -> None:
    running(board)
    stage(board.layout, board.open(board.build(3)))


def on_trial(board: Board) -> None:
    board.put(board.build(1))
    board.put(board.build(2), confirmed=False)


def used_up(board: Board) -> None:
    board.put(board.build(1))
    board.put(board.build(2), starts=1, confirmed=False)
    states.change(board.layout, State.started)


@dataclass
class SweepCase:
    """`runs` is what may run after a fault; the last of it what runs where nothing fails."""

    fault: str
    action: str
    board: Callable[[Board], None]
    runs: tuple[str, ...]
    calls: set[str]


STAGING = {"mkdir", "create", "write", "fsync", "chmod", "renameat2"}
CHANGING = {"create", "write", "fsync", "linkat", "rename"}
# A full disk keeps nobody from removing: these are not among its faults.
REMOVING = {"unlink", "unlinkat", "rmdir"}
SWEEP_CASES = [
    SweepCase("kill", "install", running, ("2", "3"), STAGING | CHANGING | REMOVING),
    SweepCase("full", "stage", running, ("2",), STAGING),
    SweepCase("full", "activate", staged, ("2", "3"), CHANGING | {"renameat2"}),
    SweepCase("kill", "activate", staged_afresh, (BUNDLED, "3"), CHANGING | {"unlink"}),
    SweepCase("full", "activate", staged_afresh, (BUNDLED, "3"), CHANGING),
    SweepCase("kill", "start", on_trial, ("2",), CHANGING | {"unlink"}),
    # Where a start cannot be counted, the trial waits.
    SweepCase("full", "start", on_trial, ("1", "2"), CHANGING),
    SweepCase("kill", "start", used_up, ("1",), CHANGING | {"unlink"}),
    SweepCase("full", "start", used_up, ("1",), CHANGING),
    SweepCase("kill", "confirm", on_trial, ("2",), CHANGING | {"unlink"}),
    SweepCase("full", "confirm", on_trial, ("2",), CHANGING),
    SweepCase("kill", "revert", running, ("2", "1"), CHANGING | {"unlink"}),
    SweepCase("full", "revert", running, ("2", "1"), CHANGING),
]


@pytest.mark.parametrize(
    "case", SWEEP_CASES, ids=lambda case: f"{case.fault} {case.action} {case.board.__name__}"
)
def test_the_old_or_the_new_one_runs(case, shim, tmp_path):
    board = Board(tmp_path)
    case.board(board)
    source = board.build(3)
    command = [sys.executable, str(HERE / "fault_sweep.py"), case.fault, case.action]
    command += [str(board.layout.root), str(source), str(board.public)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *faults, names = map(json.loads, done.stdout.splitlines())
    assert set(names) == case.calls
    assert len(faults) == len(names) + 1
    ended = {"kill": {"killed"}, "full": {"DeviceError", "done"}}[case.fault]
    assert {fault["ended"] for fault in faults[:-1]} <= ended
    assert faults[-1]["ended"] == "done"
    for fault in faults:
        assert fault["started"].removeprefix("tiny-16 ").split()[0] in case.runs, fault
        foreign = {name for name in fault["left"] if not name.startswith(".state.json.")}
        assert foreign <= {"a", "b", "incoming", "state.json", "state.lock", "install.lock"}
    assert faults[-1]["started"].startswith((f"tiny-16 {case.runs[-1]}", case.runs[-1]))


@pytest.mark.parametrize("size", ["12k", "16k"])
def test_a_full_disk_is_one_line(size, tmp_path):
    """Full while the artifact is copied, and when it has only the state to write."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("mounting a small file system takes root")
    board = Board(tmp_path)
    install = [sys.executable, "-m", "edge_vessel", "slots", "install", str(board.build(1))]
    install += ["--trusted-key", str(board.public), "--slots", str(disk / "slots")]
    try:
        done = subprocess.run(install, cwd=ROOT, capture_output=True, text=True, check=False)
        state = states.read(Layout(disk / "slots"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert state == State()
