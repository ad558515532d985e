"""Whom root acts as in a folder that is another user's: what that user put there is not trusted."""

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import DeviceError

_MAX_LINKS = 40  # path_resolution(7): the kernel follows no more


@dataclass(frozen=True)
class Account:
    """A user, and the groups of what it starts, by their numbers."""

    user: int
    group: int
    groups: list[int]


def owner(folder: Path) -> Account | None:
    """Who may put something else in the place of `folder`, be it by a link or a renaming: who is
    not root and owns it or a folder on the way to it. None: nobody, or this process is not root's.

    Raises:
        DeviceError: several may, so that one could have root act as the other; or a folder on the
            way is root's and its mode lets others rename what is in it.
    """
    if os.geteuid() != 0:
        return None
    owners: dict[int, int] = {}
    for way in _ways(folder):
        for one in (way, *way.parents):
            with contextlib.suppress(OSError):  # not there yet
                found = one.lstat()
                owners.setdefault(found.st_uid, found.st_gid)
                _refuse_shared(one, found)
    owners.pop(0, None)
    if len(owners) > 1:
        raise DeviceError(
            f"{folder}: users {', '.join(map(str, owners))} own parts of the way to it, and root "
            "can act as one alone: run it as its user, or move it"
        )
    return next((_account(user, group) for user, group in owners.items()), None)


@contextlib.contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """What is done inside is done with the rights of `owner(folder)`: where that user has put a
    link in the way of a file, the kernel refuses root what it refuses the user.

    Raises:
        DeviceError: as `owner`, or this root may not become another user, as in some containers.
    """
    account = owner(folder)
    if account is None:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    with contextlib.ExitStack() as back:
        try:
            os.setgroups(account.groups)
            back.callback(os.setgroups, groups)
            os.setegid(account.group)
            back.callback(os.setegid, group)
            os.seteuid(account.user)
            back.callback(os.seteuid, 0)
        except OSError as error:
            raise DeviceError(
                f"{folder}: is user {account.user}'s, whose place root may not take here: run it "
                "as that user"
            ) from error
        yield


def _refuse_shared(folder: Path, status: os.stat_result) -> None:
    """In sticky folders, as /tmp, the names that are there are their owners' to change."""
    mode = status.st_mode
    if status.st_uid != 0 or not stat.S_ISDIR(mode) or mode & stat.S_ISVTX:
        return
    if mode & stat.S_IWOTH:
        others = "everybody"
    elif mode & stat.S_IWGRP and status.st_gid != 0:
        others = f"group {status.st_gid}"
    else:
        return
    raise DeviceError(
        f"{folder}: is root's, but {others} may put something else in the place of what is in it: "
        f"chmod go-w {folder}, or give it to the user that runs from it"
    )


def _ways(folder: Path) -> Iterator[Path]:
    """`folder`, and the same with one link after another replaced by what it leads to: a link of
    root's may lead through a folder in which another user may put a link back."""
    way = folder.absolute()
    yield way
    for _ in range(_MAX_LINKS):
        link = next((one for one in (*reversed(way.parents), way) if one.is_symlink()), None)
        if link is None:
            return
        way = link.parent / link.readlink() / way.relative_to(link)
        yield way


def _account(user: int, group: int) -> Account:
    """With the groups that the user has; a folder of its may be another group's, such as root's.
    `group` is that of who has no name here."""
    try:
        named = pwd.getpwuid(user)
    except KeyError:
        return Account(user, group, [])
    return Account(user, named.pw_gid, os.getgrouplist(named.pw_name, named.pw_gid))
