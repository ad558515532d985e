import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import artifact_folders
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from slot_boards import Board

from edge_vessel.errors import ArtifactError, DeviceError, EdgeVesselError, UsageError
from edge_vessel.lock import locked
from edge_vessel.manifest import Target
from edge_vessel.slots.install import Rules, install
from edge_vessel.slots.trial_run import SelfTestLimits, prove


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Runs version 2, falls back to version 1."""
    board = Board(tmp_path)
    board.put(board.build(1))
    board.put(board.build(2))
    return board


def contents(folder: Path) -> dict[str, str]:
    """The hash of each file but the locks, which hold nothing."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_new_one_is_active_and_the_old_one_untouched(board):
    active = board.layout.slot("b")
    before = contents(active)
    inodes = [path.stat().st_ino for path in active.iterdir()]
    source = board.build(3)
    state = install(board.layout, board.open(source), board.trust, Rules(trial_starts=5))
    assert (board.runs(), state.starts_left) == ("3", 5)
    assert state.active.slot == "a"
    assert state.fallback.release.version == 2
    assert contents(board.layout.slot("a")) == contents(source)
    assert contents(active) == before
    assert [path.stat().st_ino for path in active.iterdir()] == inodes
    assert not board.layout.incoming.exists()


def test_again_changes_nothing_unless_the_slot_is_damaged(board):
    source = board.open(board.build(2))
    before = contents(board.layout.root)
    install(board.layout, source, board.trust, Rules())
    assert contents(board.layout.root) == before
    os.truncate(board.layout.slot("b") / "model.onnx", 5)
    state = install(board.layout, source, board.trust, Rules())
    assert (state.active.slot, state.starts_left) == ("a", 3)


def wrong_golden() -> bytes:
    image, probability = artifact_folders.golden_pair()
    return artifact_folders.npz(image=image, probability=1 - probability)


FEATURELESS = Target("any", "generic", ("no_such_feature",), 1, 64)
FAST = Rules(selftest=SelfTestLimits(timeout_s=0.05))
TIGHT = Rules(selftest=SelfTestLimits(memory_mb=48))


@dataclass
class RefusalCase:
    name: str
    build: Callable[[Board], Path]
    fault: type[EdgeVesselError]
    message: str
    rules: Rules = field(default_factory=Rules)


REFUSAL_CASES = [
    RefusalCase(
        "another's key",
        lambda b: b.build(3, key=Ed25519PrivateKey.generate()),
        ArtifactError,
        "none of the 1 trusted keys",
    ),
    RefusalCase(
        "another machine's",
        lambda b: b.build(3, target=FEATURELESS),
        ArtifactError,
        "lacks no_such_feature",
    ),
    RefusalCase("older", lambda b: b.build(1), ArtifactError, "version 1 is no newer"),
    RefusalCase(
        "the same version, other bytes",
        lambda b: b.build(2, licence="MIT"),
        ArtifactError,
        "version 2 ran here and tiny-16 version 2 is no newer",
    ),
    RefusalCase(
        "fails its self-test",
        lambda b: b.build(3, golden=wrong_golden()),
        ArtifactError,
        "the self-test is off by",
    ),
    RefusalCase(
        "does not load", lambda b: b.build(3, model=b"nonsense"), ArtifactError, "cannot load it"
    ),
    RefusalCase("too slow", lambda b: b.build(3), ArtifactError, "not ended after 0.05 s", FAST),
    RefusalCase("too large", lambda b: b.build(3), ArtifactError, "with 48 MB", TIGHT),
]


@pytest.mark.parametrize("case", REFUSAL_CASES, ids=lambda case: case.name)
def test_what_is_refused_leaves_the_board_as_it_was(case, board):
    source = case.build(board)
    before = contents(board.layout.root)
    with pytest.raises(case.fault) as caught:
        install(board.layout, board.open(source), board.trust, case.rules)
    assert case.message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(board.layout.root) == before


@pytest.mark.parametrize(
    ("version", "name", "rules"),
    [(1, "tiny-16", Rules(allow_downgrade=True)), (1, "other-16", Rules())],
)
def test_what_may_be_installed_after_a_newer_one(version, name, rules, board):
    source = board.open(board.build(version, name))
    state = install(board.layout, source, board.trust, rules)
    assert (state.active.release.name, state.active.release.version) == (name, version)


def test_a_trial_has_to_end_before_the_next(board):
    board.put(board.build(3), confirmed=False)
    with pytest.raises(UsageError, match="version 3 is on trial: edge-vessel slots confirm, or"):
        install(board.layout, board.open(board.build(4)), board.trust, Rules())


def test_two_at_once(board):
    with (
        locked(board.layout.installing, "another installation"),
        pytest.raises(DeviceError, match="another installation is at work: try again when"),
    ):
        install(board.layout, board.open(board.build(3)), board.trust, Rules())
    assert board.runs() == "2"


def test_a_lock_is_waited_for(tmp_path):
    path, order = tmp_path / "lock", []
    with locked(path, "the other"):
        waiting = threading.Thread(target=lambda: take(path, order))
        waiting.start()
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def take(path: Path, order: list[str]) -> None:
    with locked(path, "the other", wait_s=30):
        order.append("second")


def test_a_kill_during_the_self_test(board):
    """The child outlives its parent by a moment; neither the board nor the next try notices."""
    source = board.build(3)
    command = [sys.executable, "-m", "edge_vessel", "slots", "install", str(source)]
    command += ["--trusted-key", str(board.public), "--slots", str(board.layout.root)]
    with subprocess.Popen(command, cwd=artifact_folders.ROOT) as process:
        parent, children = psutil.Process(process.pid), []
        while not children and process.poll() is None:
            children = parent.children()
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(children, timeout=60)
    assert children
    assert process.returncode == -signal.SIGKILL
    assert board.runs() == "2"
    assert board.layout.incoming.exists()
    install(board.layout, board.open(source), board.trust, Rules())
    assert board.runs() == "3"
    assert not board.layout.incoming.exists()


def test_the_hash_that_the_child_saw(board):
    source = board.build(3)
    seen = prove(source, board.trust, SelfTestLimits())
    assert seen == board.open(source).manifest_sha256


def test_the_child_takes_nothing_from_where_root_stands(board, tmp_path, monkeypatch):
    """/tmp, for one, where anybody may put a package of this name."""
    source, elsewhere = board.build(3), tmp_path / "elsewhere"
    (elsewhere / "edge_vessel").mkdir(parents=True)
    (elsewhere / "edge_vessel/__init__.py").write_text("raise SystemExit('planted')")
    monkeypatch.chdir(elsewhere)
    assert prove(source, board.trust, SelfTestLimits()) == board.open(source).manifest_sha256


@pytest.fixture
def child(tmp_path, monkeypatch):
    """What stands in the child's place, a shell script: native code can do and say anything."""
    path = tmp_path / "child"
    monkeypatch.setattr(sys, "executable", str(path))

    def written(script: str) -> None:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return written


def test_the_child_has_no_terminal_to_type_into(child, board, tmp_path):
    child(
        'set -- $(cut -d " " -f 6,7 /proc/$$/stat) $$ $(readlink /proc/$$/fd/0)\n'
        """printf '{"error": null, "manifest_sha256": "%s"}' "$*" """
    )
    session, terminal, process, standard_input = prove(
        tmp_path, board.trust, SelfTestLimits()
    ).split()
    assert session == process, "a session of its own"
    assert (terminal, standard_input) == ("0", "/dev/null")


@pytest.mark.parametrize("answer", ["", "[]", "null", "1", "{}", '"error"'])
def test_an_answer_that_is_no_report_is_one_line(child, board, tmp_path, answer):
    child(f"printf '%s' '{answer}'")
    with pytest.raises(ArtifactError, match="ended with 0 and without a report"):
        prove(tmp_path, board.trust, SelfTestLimits())
