"""What the tests' processes left for coverage, before pytest-cov combines it."""

import sqlite3
from pathlib import Path

import coverage
from coverage.exceptions import CoverageException


def discard_unreadable(folder: Path) -> list[str]:
    """Deletes the data files of `folder` that can't be combined, and names them.

    coverage writes without a journal, so a process that a test kills, or a board whose power it
    cuts, may leave half a file; one of those ends pytest-cov's `combine`, and the run with it.
    """
    discarded = []
    for file in sorted(folder.glob(".coverage.*")):
        try:
            data = coverage.CoverageData(str(file), read_only=True)
            data.read()
            coverage.CoverageData(no_disk=True).update(data, map_path=_text)
        except (CoverageException, sqlite3.Error, ValueError):
            file.unlink()
            discarded.append(file.name)
    return discarded


def _text(path: str) -> str:
    if not isinstance(path, str):
        raise TypeError(f"{path!r} is no path")  # coverage's own mapping fails on it as well
    return path
