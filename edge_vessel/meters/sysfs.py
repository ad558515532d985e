"""Numbers in the kernel's files, which may vanish, be closed to us, or hold nonsense."""

import errno
import re
from pathlib import Path

from edge_vessel.errors import DeviceError

_LONGEST = 32  # a signed 64-bit number has 20 characters
_NEXT_STEP = {
    errno.EACCES: "run as root, or open it: sudo chmod a+r {path}",
    errno.EPERM: "run as root, or open it: sudo chmod a+r {path}",
    errno.ENOENT: "is the sensor still attached?",
    errno.ENODEV: "is the sensor still attached?",
    errno.ENXIO: "is the sensor still attached?",
    errno.EIO: "check the sensor's wires",
    errno.EREMOTEIO: "check the sensor's wires",
}


def number(path: Path) -> int:
    """The whole number that the file holds.

    Raises:
        DeviceError: it is missing, unreadable, or holds something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode("ascii", "replace").strip()
    except OSError as error:
        step = _NEXT_STEP.get(error.errno or 0, "see the kernel's log: dmesg").format(path=path)
        raise DeviceError(f"{path}: cannot be read: {error.strerror}; {step}") from error
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise DeviceError(f"{path}: holds {text!r}, no whole number; see the kernel's log: dmesg")
    return int(text)


def word(path: Path) -> str:
    """What the file says, such as a chip's name; "" where it says nothing."""
    try:
        with path.open("rb") as file:
            return file.read(256).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def numbered(folder: Path, prefix: str) -> list[Path]:
    """The entries `prefix`0, `prefix`1 ... in the order of their numbers."""
    found = [path for path in folder.glob(f"{prefix}*") if path.name[len(prefix) :].isdecimal()]
    return sorted(found, key=lambda path: int(path.name[len(prefix) :]))
