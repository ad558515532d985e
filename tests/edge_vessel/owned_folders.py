"""Folders that root has given to other users."""

import os
from pathlib import Path

SERVICE, ANOTHER = 65534, 65533


def give(path: Path, user: int) -> Path:
    """Not what lies in it, nor what it leads to."""
    os.chown(path, user, user, follow_symlinks=False)
    return path


def give_all(folder: Path, user: int = SERVICE) -> Path:
    """With all that lies in it."""
    for each in (folder, *folder.rglob("*")):
        give(each, user)
    return folder


def owners(folder: Path) -> set[tuple[int, int]]:
    """User and group of the folder and of all that lies in it."""
    found = [each.lstat() for each in (folder, *folder.rglob("*"))]
    return {(status.st_uid, status.st_gid) for status in found}
