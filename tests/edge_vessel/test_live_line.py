"""The line that follows a run: on a terminal, and nowhere else."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from artifact_folders import ROOT, write

from edge_vessel.live_line import line
from edge_vessel.meters.stopwatch import Percentiles
from edge_vessel.pipeline import Progress


def progress(**changed) -> Progress:
    times = Percentiles(9, 80.0, 90.0, 95.4, 99.0, 120.0)
    values = {
        "captured": 12, "processed": 9, "no_fundus": 0, "dropped": 3, "failed": 0, "losses": 0,
        "camera": "ok", "duration_s": 2.0, "fps": 4.51, "stages": {"total": times},
    }  # fmt: skip
    return Progress(**{**values, **changed})


@pytest.mark.parametrize(
    ("changed", "temperature_c", "expected"),
    [
        ({}, None, "9 frames | 4.5 fps | p50 80 ms, p95 95 ms | 3 dropped | 180 MB"),
        ({}, 61.4, "9 frames | 4.5 fps | p50 80 ms, p95 95 ms | 3 dropped | 180 MB | 61 °C"),
        ({"camera": "lost", "stages": {"total": None}}, None,
         "9 frames | 4.5 fps | 3 dropped | 180 MB | camera lost"),
    ],
)  # fmt: skip
def test_text(changed, temperature_c, expected):
    assert line(progress(**changed), 180.2, temperature_c) == expected


def _run(tmp_path: Path, stream: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "edge_vessel.run", "--input", "synthetic:fps=20"]
    command += ["--duration", "1.5", "--allow-unsigned", "--model", str(write(tmp_path / "tiny"))]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    return subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=stream, env=environment)


def test_a_terminal_sees_it(tmp_path):
    ours, theirs = pty.openpty()
    process = _run(tmp_path, theirs)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=30) == 0
    assert b" fps | p50 " in seen
    assert b"p95 ms" in seen


def test_a_pipe_sees_nothing_of_it(tmp_path):
    process = _run(tmp_path, subprocess.PIPE)
    out, err = process.communicate(timeout=30)
    assert b"p95 ms" in out
    assert b"fps" not in err
    assert b"\x1b" not in out + err
