"""`python -m edge_vessel.run` as a service: slots, signs of life, metrics, the log."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from artifact_folders import ROOT, python, write
from needs import unavailable
from slot_boards import Board

LIVE = "synthetic:width=240,height=200,fps=50"


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Version 1 runs, version 2 is on trial."""
    board = Board(tmp_path)
    board.put(board.build(1))
    board.put(board.build(2), starts=2, confirmed=False)
    return board


def command(board: Board, *arguments: str | Path) -> list[str]:
    slots = ["--slots", str(board.layout.root), "--trusted-key", str(board.public)]
    return ["-m", "edge_vessel.run", *slots, "--meter", "none", *map(str, arguments)]


def run(board: Board, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = python(*command(board, *arguments))
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_live_source_confirms_the_trial(board):
    done = run(board, "--input", LIVE, "--max-frames", "6", "--confirm-after", "5")
    assert done.returncode == 0, done.stderr
    assert "slot b: tiny-16 version 2: confirmed after 5 good frames" in done.stderr
    assert (board.runs(), board.state.starts_left) == ("2", None)


@pytest.mark.parametrize(
    ("source", "frames"), [(LIVE, "4"), ("synthetic:width=240,height=200,frames=50", "50")]
)
def test_too_few_frames_and_drawn_photographs_do_not(source, frames, board):
    """Nor do they use a start up: the run ended in order."""
    done = run(board, "--input", source, "--max-frames", frames, "--confirm-after", "5")
    assert done.returncode == 0, done.stderr
    assert (board.runs(), board.state.starts_left) == ("2", 2)


def test_killed_runs_use_the_trial_up_and_the_old_one_comes_back(board):
    for left in (1, 0):
        with serving(board, "--input", LIVE, "--jsonl", "-") as process:
            assert process.stdout.readline().startswith(b'{"type":"frame"')
            process.kill()
        assert (board.runs(), board.state.starts_left) == ("2", left)
    done = run(board, "--input", LIVE, "--max-frames", "1")
    assert done.returncode == 0
    assert "gave up tiny-16 version 2: it used up its trial starts" in done.stderr
    assert board.runs() == "1"


def test_a_camera_that_is_not_there_is_not_the_trials_fault(board):
    done = run(board, "--camera", "/dev/video99", "--camera-timeout", "0.1")
    assert done.returncode == 3
    assert board.state.starts_left == 2


def test_one_artifact_at_a_time(board):
    done = run(board, "--input", LIVE, "--model", board.build(3))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--model and --slots both name an artifact" in done.stderr


def test_the_folder_of_the_slots_has_a_default(board, monkeypatch):
    monkeypatch.setenv("EDGE_VESSEL_SLOTS", str(board.layout.root))
    done = python(
        "-m", "edge_vessel.run", "--input", LIVE, "--max-frames", "1", "--trusted-key",
        board.public, "--json", "--slots",
    )  # fmt: skip
    assert json.loads(done.stdout)["model"] == "tiny-16"


@contextlib.contextmanager
def serving(
    board: Board, *arguments: str | Path, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A run that goes on beside the test; killed where the test fails."""
    with subprocess.Popen(
        [sys.executable, *command(board, *arguments)],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


class Manager:
    """What systemd does with its notification socket."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)

    def hears(self, timeout_s: float) -> str | None:
        """The next message; None where none comes in time."""
        self._socket.settimeout(max(timeout_s, 1e-3))
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return None

    def hears_until(self, pattern: str, timeout_s: float = 30.0) -> list[str]:
        """Messages up to the one that matches."""
        heard: list[str] = []
        end_s = time.monotonic() + timeout_s
        while not heard or not re.search(pattern, heard[-1]):
            message = self.hears(end_s - time.monotonic())
            assert message is not None, f"{pattern} did not come after {heard}"
            heard.append(message)
        return heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_ready_with_the_first_frame_and_signs_of_life_after_it(board, manager):
    with serving(
        board, "--input", LIVE, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="800000"
    ) as process:
        what = "tiny-16 version 2, slot b"
        assert manager.hears(30) == f"STATUS={what}: waiting for the first frame"
        assert manager.hears(30) == f"READY=1\nSTATUS={what}: frames are segmented"
        began_s = time.monotonic()
        for _ in range(3):
            assert re.fullmatch(rf"WATCHDOG=1\nSTATUS={what}: \d+ frames", manager.hears(30) or "")
        # Not at every frame: four times in the watchdog's period.
        assert time.monotonic() - began_s > 0.4
        process.send_signal(signal.SIGTERM)
        assert manager.hears_until("STOPPING=1")[-1] == f"STOPPING=1\nSTATUS={what}: stopping"
    assert process.returncode == 0


def test_without_a_watchdog_there_are_no_signs_of_life(board, manager):
    with serving(
        board, "--input", LIVE, "--max-frames", "20", NOTIFY_SOCKET=manager.address
    ) as process:
        heard = manager.hears_until("STOPPING=1")
    assert process.returncode == 0
    assert len(heard) == 3


def test_a_manager_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    tiny = write(tmp_path / "tiny")
    monkeypatch.setenv("NOTIFY_SOCKET", "/no/such/socket")
    done = python("-m", "edge_vessel.run", "--input", LIVE, "--allow-unsigned", "--model", tiny)
    assert done.returncode == 3
    assert "error: NOTIFY_SOCKET=/no/such/socket: No such file" in done.stderr


def test_a_camera_that_stalls_ends_the_signs_of_life(board, manager):
    """The process itself is well all the time: a timer would go on."""
    if shutil.which("gst-launch-1.0") is None:
        unavailable("no GStreamer: its test source is the camera")
    camera = "gst:videotestsrc is-live=true ! video/x-raw,width=96,height=96,framerate=25/1"
    period = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
    with serving(board, "--input", camera, **period) as process:
        manager.hears_until("WATCHDOG=1")
        launched = psutil.Process(process.pid).children()
        launched[0].suspend()
        on_their_way = 0
        while manager.hears(1.0) is not None:
            on_their_way += 1
            assert on_their_way < 5
        assert process.poll() is None
        assert "WATCHDOG" not in "".join(manager.hears_until("camera lost"))
        manager.hears_until("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        manager.hears_until("STOPPING=1")
    assert process.returncode == 0


def test_the_log_and_the_metrics_of_a_run(board, tmp_path):
    """One frame in a while, each with what the machine is like; then the summary."""
    metrics = tmp_path / "edge-vessel.prom"
    arguments = ["--jsonl", "-", "--jsonl-every", "600", "--metrics", metrics]
    done = run(board, "--input", LIVE, "--max-frames", "30", *arguments)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["type"] for line in lines] == ["frame", "machine", "summary"]
    assert set(lines[1]) == {"type", "time", "hottest_c", "frequencies_mhz", "throttle", "cooling"}
    text = metrics.read_text()
    assert 'edge_vessel_frames_total{status="ok"} 30\n' in text
    assert 'edge_vessel_artifact_info{name="tiny-16",version="2",slot="b"} 1\n' in text
