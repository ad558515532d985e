"""What root does where the folder of the slots, or one above it, is another user's."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import unavailable
from slot_boards import Board

from edge_vessel.errors import DeviceError
from edge_vessel.slots.lock import locked
from edge_vessel.slots.owner import owner

SERVICE, ANOTHER = 65534, 65533


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user reaches, as pytest's own are not."""
    if os.geteuid() != 0:
        unavailable("giving a folder away takes root")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def give(path: Path, user: int) -> Path:
    os.chown(path, user, user, follow_symlinks=False)
    return path


def test_a_folder_is_whose_may_replace_it(place: Path) -> None:
    for name in ("roots", "service", "service/own", "service/given", "service/roots"):
        (place / name).mkdir()
    (place / "service/link").symlink_to(place / "roots")
    (place / "link").symlink_to(place / "service")
    for name in ("service", "service/own", "service/link"):
        give(place / name, SERVICE)
    give(place / "service/given", ANOTHER)
    expected = {
        "roots": None,
        "roots/none": None,
        "service": SERVICE,
        "service/own/none/none": SERVICE,
        "service/roots": SERVICE,
        "service/link": SERVICE,
        "service/given": ANOTHER,
        "link": SERVICE,
        "link/roots": SERVICE,
    }
    found = {name: owner(place / name) for name in expected}
    assert {name: account and account.user for name, account in found.items()} == expected


def test_all_that_root_writes_is_the_owners(place: Path) -> None:
    board = Board(place)
    board.layout.root.mkdir()
    give(board.layout.root, SERVICE)
    for version in (1, 2, 3):
        board.put(board.build(version))
    found = [board.layout.root, *board.layout.root.rglob("*")]
    assert {(one.stat().st_uid, one.stat().st_gid) for one in found} == {(SERVICE, SERVICE)}
    assert {one.name for one in found} >= {"a", "b", "state.json", "state.lock", "model.onnx"}
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
