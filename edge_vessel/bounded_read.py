"""Reading a file that somebody else may have put there."""

import errno
import os
import stat
from pathlib import Path

from edge_vessel.errors import EdgeVesselError


def read_regular(
    path: Path,
    max_bytes: int,
    fault: type[EdgeVesselError],
    *,
    follow_symlinks: bool = False,
    owner_only: bool = False,
) -> bytes:
    """Returns the whole file, read once through one descriptor that all checks were made on.

    Devices, pipes and folders are refused without blocking; nothing past `max_bytes` is read.
    With `owner_only` a file that group or others may read is refused.

    Raises:
        fault: the file is missing, unreadable, not a regular file, a symbolic link, too large, or
            too open.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if not follow_symlinks:
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise fault(f"{path}: is a symbolic link; put the file itself there") from error
        raise fault(f"{path}: cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise fault(f"{path}: is not a regular file")
        if owner_only and status.st_mode & 0o077:
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            raise fault(f"{path}: is open to others (mode {mode}); run: chmod 600 {path}")
        if status.st_size > max_bytes:
            raise fault(f"{path}: is {status.st_size} bytes; at most {max_bytes} are allowed")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise fault(f"{path}: cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise fault(f"{path}: grew past {max_bytes} bytes while it was read")
    return content
