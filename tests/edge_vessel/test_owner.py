"""Whom root acts as, where a folder or one above it is another user's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from owned_folders import ANOTHER, SERVICE, give

from edge_vessel.errors import DeviceError
from edge_vessel.owner import as_owner, owner


def test_a_folder_is_whose_may_replace_it(place: Path) -> None:
    for name in ("roots", "service", "service/own", "service/roots"):
        (place / name).mkdir()
    (place / "service/link").symlink_to(place / "roots")
    (place / "service/roots/two").symlink_to("../link")
    (place / "link").symlink_to(place / "service")
    (place / "chain").symlink_to("service/link")
    (place / "round").symlink_to("service/roots/two/none")
    (place / "loop").symlink_to("loop")
    for name in ("service", "service/own", "service/link"):
        give(place / name, SERVICE)
    expected = {
        "roots": None,
        "roots/none": None,
        "service": SERVICE,
        "service/own/none/none": SERVICE,
        "service/roots": SERVICE,
        "service/link": SERVICE,
        "link": SERVICE,
        "link/roots": SERVICE,
        "chain": SERVICE,
        "chain/none": SERVICE,
        "round": SERVICE,
        "loop": None,
    }
    found = {name: owner(place / name) for name in expected}
    assert {name: account and account.user for name, account in found.items()} == expected


def test_where_two_users_own_parts_of_the_way_root_acts_as_neither(place: Path) -> None:
    for name in ("service", "service/given", "another"):
        (place / name).mkdir()
    (place / "service/link").symlink_to(place / "another")
    give(place / "service", SERVICE)
    for name in ("service/given", "another"):
        give(place / name, ANOTHER)
    for name in ("service/given", "service/link/none"):
        with pytest.raises(DeviceError, match="own parts of the way to it"):
            owner(place / name)


@pytest.mark.parametrize(
    ("group", "mode", "others"),
    [
        (0, 0o775, None),
        (SERVICE, 0o755, None),
        (SERVICE, 0o1777, None),
        (SERVICE, 0o770, f"group {SERVICE}"),
        (0, 0o777, "everybody"),
    ],
)
def test_a_folder_of_roots_in_which_others_may_rename(place: Path, group, mode, others) -> None:
    shared = place / "shared"
    (shared / "store").mkdir(parents=True)
    os.chown(shared, 0, group)
    shared.chmod(mode)
    (place / "link").symlink_to(shared / "store")
    for way in (shared, shared / "store", shared / "none", place / "link"):
        if others is None:
            assert owner(way) is None
            continue
        with pytest.raises(DeviceError, match=f"{shared}: is root's, but {others} may put"):
            owner(way)


def test_a_group_that_the_folder_has_and_its_owner_has_not_gives_no_rights(place: Path) -> None:
    os.chown(place, SERVICE, 0)
    with as_owner(place):
        assert 0 not in (os.getegid(), *os.getgroups())


def _rights() -> tuple[int, int, list[int]]:
    return os.geteuid(), os.getegid(), os.getgroups()


def test_root_is_root_again_afterwards(place: Path) -> None:
    before = _rights()
    give(place, SERVICE)
    with pytest.raises(PermissionError), as_owner(place):
        assert _rights()[:2] == (SERVICE, SERVICE)
        Path("/etc/shadow").read_bytes()
    assert _rights() == before


# Root of a user namespace alone, as in some containers.
NAMESPACE = ("unshare", "--user", "--map-root-user")
ACTS = """
import sys
from pathlib import Path
from edge_vessel.errors import DeviceError
from edge_vessel.errors import DeviceError
from edge_vessel.owner import as_owner
try:
    with as_owner(Path(sys.argv[1])):
        print("acted")
except DeviceError as error:
    print(error)
"""


def test_a_root_that_may_not_become_the_owner_says_so(place: Path) -> None:
    if subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this kernel gives no user namespaces")
    give(place, SERVICE)
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", ACTS, str(place)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == (
        f"{place}: is user {SERVICE}'s, whose place root may not take here: run it as that user\n"
    )
