"""What root does where the folder of the slots, or one above it, is another user's."""

import os
import stat
from pathlib import Path

import pytest
from owned_folders import SERVICE, give, owners
from slot_boards import Board

from edge_vessel.errors import DeviceError
from edge_vessel.lock import locked


def test_all_that_root_writes_is_the_owners(place: Path) -> None:
    board = Board(place)
    board.layout.root.mkdir()
    give(board.layout.root, SERVICE)
    for version in (1, 2, 3):
        board.put(board.build(version))
    assert owners(board.layout.root) == {(SERVICE, SERVICE)}
    names = {one.name for one in board.layout.root.rglob("*")}
    assert names >= {"a", "b", "state.json", "state.lock", "model.onnx"}
    assert not board.layout.incoming.exists()
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_a_link_leads_root_nowhere(place: Path) -> None:
    """The service's user has put one to a folder of root's where the slots were."""
    (place / "service").mkdir()
    board = Board(place / "service")
    source = board.build(1)
    roots = place / "roots"
    roots.mkdir()
    board.layout.root.symlink_to(roots)
    give(board.layout.root, SERVICE)
    with pytest.raises(DeviceError, match="Permission denied"):
        board.put(source)
    with (
        pytest.raises(DeviceError, match="Permission denied"),
        locked(board.layout.installing, "another"),
    ):
        pass
    assert list(roots.iterdir()) == []


@pytest.mark.parametrize("user", [0, SERVICE])
def test_a_lock_is_nobodys_but_the_owners(place: Path, user: int) -> None:
    lock = give(place, user) / "lock"
    for mode in (None, 0o600, 0o644):  # not there; of ours; of a release before
        if mode is not None:
            lock.chmod(mode)
        with locked(lock, "the other"):
            status = lock.stat()
            assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (user, 0o600)
