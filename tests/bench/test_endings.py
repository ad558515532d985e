"""How commands end where nobody reads on, nothing can be written, or a user has had enough."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from artifact_folders import ROOT, python, write

TINY = ["--allow-unsigned", "--image", ROOT / "samples" / "chase_db1_07L.jpg", "--force"]


def _start(*arguments: str | Path, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def _wait(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    done = python(
        "-m", "bench", "latency", write(folder / "tiny"), *TINY, "--warmup", "0", "--runs", "20",
        "--output", folder / "a.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "a.json"


@pytest.mark.parametrize("command", [["report"], ["compare"], ["compare", "--json"]])
def test_a_reader_that_has_left_is_no_regression(run: Path, command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = _start(*command, run, run, stdout=writing)
    os.close(writing)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize("command", [["report"], ["compare"], ["compare", "--json"]])
def test_a_full_disk_is_the_machines_fault(run: Path, command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        process = _start(*command, run, run, stdout=full)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.count("\n")) == (3, 1), said
    assert "stdout: cannot be written: No space left" in said


def test_an_interrupt_leaves_no_traceback(tmp_path: Path) -> None:
    # Started in the background of a shell, as CI may be, pytest itself would pass on "ignore".
    process = _start(
        "latency", write(tmp_path / "tiny"), *TINY, "--duration", "600", stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    _wait(lambda: bool(children.read_text()))
    found = children.read_text().split()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")
    # One that was only being started ends as soon as it asks what to do.
    _wait(lambda: not any(Path(f"/proc/{child}").exists() for child in found))


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("accuracy", "train"),
        ("estimate", "compile"),
        ("sweep", "compile"),
        ("report", None),
        ("compare", None),
    ],
)
def test_a_board_has_bench_alone(run: Path, command: str, needs: str | None) -> None:
    """As deploy bundles it: neither train nor compile beside it."""
    board = (
        "import sys; sys.modules['train'] = sys.modules['compile'] = None;"
        "from bench.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    done = python("-c", board, command, run, *([run] if command == "compare" else []))
    if needs is None:
        assert done.returncode == 0, done.stderr
        return
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"bench {command} needs {needs}/, which is not here: run it from a check" in done.stderr
