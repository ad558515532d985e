"""Whom root acts as, where a folder or one above it is another user's."""

import os
from pathlib import Path

import pytest
from owned_folders import ANOTHER, SERVICE, give

from edge_vessel.owner import as_owner, owner


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


def _rights() -> tuple[int, int, list[int]]:
    return os.geteuid(), os.getegid(), os.getgroups()


def test_root_is_root_again_afterwards(place: Path) -> None:
    before = _rights()
    give(place, SERVICE)
    with pytest.raises(PermissionError), as_owner(place):
        assert _rights()[:2] == (SERVICE, SERVICE)
        Path("/etc/shadow").read_bytes()
    assert _rights() == before
