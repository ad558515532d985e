import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from results import make_result
from slot_boards import Board

from edge_vessel.artifact import Artifact
from edge_vessel.errors import ArtifactError, DeviceError, UsageError
from edge_vessel.pipeline import Outcome, Progress
from edge_vessel.slots import state as states
from edge_vessel.slots.start import Started, start
from edge_vessel.slots.state import State
from edge_vessel.slots.trial import Trial

BUNDLED = "m2unet-fundus-960"


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Version 1 runs, version 2 is on trial with two starts left."""
    board = Board(tmp_path)
    board.put(board.build(1))
    board.put(board.build(2), starts=2, confirmed=False)
    return board


def begin(board: Board, broken: tuple[int, ...] = ()) -> tuple[Started[str], list[str]]:
    """A start whose network of the versions in `broken` cannot be loaded; what it warns of."""
    warnings: list[str] = []

    def load(artifact: Artifact) -> str:
        manifest = artifact.manifest
        if manifest.version in broken and manifest.name != BUNDLED:
            raise ArtifactError(f"{artifact.folder}: cannot be loaded")
        return manifest.name if manifest.name == BUNDLED else str(manifest.version)

    return start(board.layout, board.trust, load, warnings.append), warnings


def test_a_trial_that_is_never_confirmed_is_reverted(board):
    """A crash loop: no start lives long enough to give itself back."""
    seen = [begin(board)[0].loaded for _ in range(4)]
    assert seen == ["2", "2", "1", "1"]
    assert board.state.reverted.release.version == 2
    assert "used up its trial starts" in board.state.reverted.reason


def test_the_revert_is_told_once(board):
    for _ in range(2):
        assert begin(board)[1] == []
    assert begin(board)[1] == [
        "warning: gave up tiny-16 version 2: it used up its trial starts and was never confirmed"
    ]
    assert begin(board)[1] == []


@dataclass
class FallbackCase:
    name: str
    damage: Callable[[Board], object]
    runs: str
    message: str
    broken: tuple[int, ...] = field(default=())


def swap(board: Board) -> None:
    """Somebody copied another release into the slot: signed, but not what was installed."""
    shutil.rmtree(board.layout.slot("b"))
    shutil.copytree(board.build(7), board.layout.slot("b"))


FALLBACK_CASES = [
    FallbackCase(
        "damaged", lambda b: os.truncate(b.layout.slot("b") / "model.onnx", 9), "1", "is 9 bytes"
    ),
    FallbackCase("gone", lambda b: shutil.rmtree(b.layout.slot("b")), "1", "b: is gone; install"),
    FallbackCase("another", swap, "1", "is not tiny-16 version 2, which was installed"),
    FallbackCase("cannot be loaded", lambda b: None, "1", "cannot be loaded", (2,)),
    FallbackCase("neither can", lambda b: None, BUNDLED, "gave up slot a", (1, 2)),
    FallbackCase(
        "damaged after it was confirmed",
        lambda b: (
            states.change(b.layout, State.confirmed),
            os.truncate(b.layout.slot("b") / "model.onnx", 9),
        ),
        "1",
        "is 9 bytes",
    ),
    FallbackCase("no slots", lambda b: shutil.rmtree(b.layout.root), BUNDLED, "no active slot"),
    FallbackCase(
        "damaged state", lambda b: b.layout.state.write_bytes(b"x"), BUNDLED, "is not JSON"
    ),
]


@pytest.mark.parametrize("case", FALLBACK_CASES, ids=lambda case: case.name)
def test_something_always_runs(case, board):
    case.damage(board)
    started, warnings = begin(board, case.broken)
    assert started.loaded == case.runs
    assert case.message in warnings[-1]
    assert started.on_trial is False
    assert begin(board)[0].loaded == case.runs


@contextlib.contextmanager
def unwritable(board: Board) -> Iterator[None]:
    """The state cannot be changed, for root neither, as on a read-only disk."""
    board.layout.changing.unlink()
    board.layout.changing.mkdir()
    yield
    board.layout.changing.rmdir()


def test_a_start_that_cannot_be_counted_lets_the_trial_wait(board):
    with unwritable(board):
        started, warnings = begin(board)
    assert started.loaded == "1"
    assert "is on trial and waits until starts can be counted" in warnings[0]
    assert begin(board)[0].loaded == "2"


def test_what_is_no_fault_of_the_artifact_reverts_nothing(board):
    def no_threads(_: Artifact) -> None:
        raise UsageError("999 threads: this machine has fewer")

    with pytest.raises(UsageError, match="999 threads"):
        start(board.layout, board.trust, no_threads, lambda _: None)
    assert board.runs() == "2"


def trial(board: Board, confirm_after: int = 3) -> tuple[Trial, list[str]]:
    warnings: list[str] = []
    started = begin(board)[0]
    assert started.slot is not None
    return Trial(board.layout, started.slot, confirm_after, warnings.append), warnings


def test_good_frames_confirm_it(board):
    sink, warnings = trial(board)
    for status in ("ok", "no_fundus", "ok", "no_fundus", "no_fundus"):
        sink.write(make_result(status=status))
        assert board.state.starts_left == 1
    sink.write(make_result())
    assert board.state.starts_left is None
    assert warnings == ["slot b: tiny-16 version 2: confirmed after 3 good frames"]
    assert [begin(board)[0].loaded for _ in range(5)] == ["2"] * 5


def test_a_run_confirms_its_own_release_alone(board):
    """Reverted by hand, and another installed, while the process went on."""
    sink, _ = trial(board)
    states.change(board.layout, lambda now: now.given_up("by hand"))
    board.put(board.build(3), confirmed=False)
    for _ in range(9):
        sink.write(make_result())
    assert (board.runs(), board.state.starts_left) == ("3", 3)


def test_a_disk_that_is_full_for_a_while(board):
    sink, warnings = trial(board)
    with unwritable(board):
        for _ in range(3):
            sink.write(make_result())
    assert board.state.starts_left == 1
    assert len(warnings) == 1
    for _ in range(3):
        sink.write(make_result())
    assert board.state.starts_left is None


def outcome(camera: str, fault: DeviceError | None) -> Outcome:
    return Outcome(Progress(0, 0, 0, 0, 0, 0, camera, 1.0, 0.0, {}), fault)


@pytest.mark.parametrize(
    ("camera", "fault", "left"),
    [
        ("ok", None, 2),
        ("lost", DeviceError("/dev/video0: is gone"), 2),
        ("recovering", DeviceError("/dev/video0: recovering when the run ended"), 2),
        ("ok", DeviceError("the engine failed"), 1),
    ],
)
def test_what_is_not_its_fault_does_not_count(camera, fault, left, board):
    sink, _ = trial(board)
    sink.ended(outcome(camera, fault))
    assert board.state.starts_left == left
