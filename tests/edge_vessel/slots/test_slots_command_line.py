"""`edge-vessel slots` as a user calls it."""

import json
from pathlib import Path

import pytest
from artifact_folders import python
from slot_boards import Board


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def slots(board: Board, *arguments: str | Path, **options):
    done = python("-m", "edge_vessel", "slots", *arguments, "--slots", board.layout.root, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_from_the_first_installation_to_a_revert(board):
    key = ["--trusted-key", board.public]
    fresh = slots(board, "status")
    assert fresh.stdout == "active    the bundled artifact, m2unet-fundus-960\n"
    one = slots(board, "install", board.build(1), *key)
    assert one.stdout == (
        "active    slot a: tiny-16 version 1, on trial, 3 starts left\n"
        "fallback  the bundled artifact, m2unet-fundus-960\n"
    )
    assert slots(board, "confirm").returncode == 0
    two = slots(board, "install", board.build(2), *key, "--trial-starts", "9", "--json")
    document = json.loads(two.stdout)
    assert document["slots"] == str(board.layout.root)
    assert document["active"]["slot"] == "b"
    assert document["active"]["release"]["version"] == 2
    assert document["fallback"]["release"]["version"] == 1
    assert document["starts_left"] == 9
    gone = slots(board, "revert", *key)
    assert gone.stdout.startswith("active    slot a: tiny-16 version 1, confirmed\n")
    assert "reverted  tiny-16 version 2 at 2" in gone.stdout
    assert json.loads(slots(board, "status", "--json").stdout)["starts_left"] is None


@pytest.mark.parametrize("command", ["confirm", "revert"])
def test_there_is_nothing_to_confirm_or_to_revert(command, board):
    done = slots(board, command)
    assert done.returncode == 2
    assert f"{board.layout.root}: no slot is active" in done.stderr
    assert not board.layout.root.exists()


def test_a_damaged_fallback_is_not_gone_back_to(board):
    board.put(board.build(1))
    board.put(board.build(2))
    (board.layout.slot("a") / "model.onnx").unlink()
    done = slots(board, "revert", "--trusted-key", board.public)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    assert board.runs() == "2"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["install", "no/such/folder"], 2, "no such artifact"),
        (["install", "x", "--trial-starts", "0"], 2, "a whole number from 1 to 100"),
        (["status", "--slots", __file__], 4, "is not a folder; name that of the slots"),
        (["install"], 2, "the following arguments are required: PATH"),
        ([], 2, "the following arguments are required: COMMAND"),
    ],
)
def test_what_is_called_wrongly(arguments, code, says):
    done = python("-m", "edge_vessel", "slots", *arguments)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1)
    assert says in done.stderr


def test_the_folder_comes_from_the_environment(board, monkeypatch):
    board.put(board.build(1))
    monkeypatch.setenv("EDGE_VESSEL_SLOTS", str(board.layout.root))
    done = python("-m", "edge_vessel", "slots", "status", "--json")
    assert json.loads(done.stdout)["active"]["release"]["version"] == 1


def test_where_root_installs_the_service_may_read(board):
    """Whatever umask root works with; but for the locks, which are the owner's alone."""
    done = slots(board, "install", board.build(1), "--trusted-key", board.public, umask=0o077)
    assert done.returncode == 0, done.stderr
    for path in [board.layout.root, *board.layout.root.rglob("*")]:
        assert path.suffix == ".lock" or path.stat().st_mode & 0o044 == 0o044, path
