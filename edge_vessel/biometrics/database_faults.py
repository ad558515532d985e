"""What SQLite says, as one line that names the file and the next step."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError

PRIMARY = 0xFF  # SQLite's extended result codes keep the primary one in the low byte
_LINES: dict[int, tuple[type[EdgeVesselError], str]] = {
    sqlite3.SQLITE_FULL: (DeviceError, "the disk is full; free some space and try again"),
    sqlite3.SQLITE_READONLY: (DeviceError, "cannot be written: it or its folder is read-only"),
    sqlite3.SQLITE_CANTOPEN: (DeviceError, "cannot be opened: its folder must be writable"),
    sqlite3.SQLITE_BUSY: (DeviceError, "another process holds it; try again when it has ended"),
    sqlite3.SQLITE_LOCKED: (DeviceError, "another process holds it; try again when it has ended"),
    sqlite3.SQLITE_IOERR: (DeviceError, "the disk fails; look at dmesg, restore from a backup"),
    sqlite3.SQLITE_NOTADB: (UsageError, "is no template store, or its head is destroyed; name "
                                        "another folder, or restore from a backup"),
}  # fmt: skip
_DAMAGED = "is damaged ({}); move its folder away and restore from a backup, or enrol again"


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns the faults of SQLite inside it into those of the error tree.

    Raises:
        UsageError: the file is another kind of file.
        DeviceError: disk, rights, another process, or damage.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & PRIMARY
        kind, text = _LINES.get(code, (DeviceError, _DAMAGED.format(error)))
        raise kind(f"{path}: {text}") from error


def damaged(path: Path, finding: str) -> DeviceError:
    """The same line for damage that SQLite's own checks or ours found."""
    return DeviceError(f"{path}: {_DAMAGED.format(finding)}")
