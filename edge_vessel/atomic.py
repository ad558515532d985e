"""Files that are whole or not there."""

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from pathlib import Path

from edge_vessel.errors import DeviceError, UsageError

DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
# What a file system without O_TMPFILE, or a container without /proc, answers.
_NO_NAMELESS_FILES = frozenset(
    {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EXDEV, errno.EPERM}
)
_STALE_S = 60.0


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Writes, flushes and fsyncs a nameless file, gives it a temporary name, renames, fsyncs the
    folder. Killed at any moment, it leaves no part of the content but in the instant between the
    two names. Where the file system has no nameless files (FAT, NFS), the temporary name is there
    from the start, and `sweep` removes what a kill leaves. A symbolic link is replaced, not
    followed.

    Args:
        mode: the umask takes its part from it.

    Raises:
        DeviceError: the disk is full, the folder is missing or cannot be written, or a device, pipe
            or socket stands at the path: a rename would put a file in its place.
    """
    _refuse_special(path)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not _write_nameless(folder, temporary, content, mode):
                _write_named(temporary, content, mode)
            temporary.replace(path)
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def create_file(path: Path, content: bytes, mode: int) -> None:
    """Writes and fsyncs a file that was not there, with exactly `mode`, whatever the umask.

    Raises:
        UsageError: it exists; it is left as it is.
        DeviceError: the folder is missing or cannot be written, or the disk is full; nothing stays.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise UsageError(f"{path}: exists and is never overwritten; choose another name") from error
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise DeviceError(f"{path}: cannot be written: {error.strerror}") from error


def _refuse_special(path: Path) -> None:
    """Of a link, such as /dev/stdout, what it leads to decides."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DeviceError(f"{path}: cannot be written: not a regular file; name another")


def sweep(folder: Path, ending: str) -> None:
    """Removes the temporary files that a killed `write_file` left in `folder` for names that end in
    `ending`. Younger ones than a minute stay: somebody may be writing them."""
    # tempfile's affixes are eight of these characters too.
    ours = re.compile(rf"\..*{re.escape(ending)}\.[a-z0-9_]{{8}}")
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name) is None:
                continue
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > _STALE_S:
                    Path(entry.path).unlink()


def _write_nameless(folder: int, name: Path, content: bytes, mode: int) -> bool:
    """False where this machine cannot; nothing is left then."""
    try:
        descriptor = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode, dir_fd=folder)
        try:
            _fill(descriptor, content)
            # Without a dir_fd Python calls link(2), which does not follow /proc's links on Linux.
            os.link(f"/proc/self/fd/{descriptor}", name.name, dst_dir_fd=folder)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _NO_NAMELESS_FILES:
            return False
        raise
    return True


def _write_named(name: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        _fill(descriptor, content)
    finally:
        os.close(descriptor)


def _fill(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.fsync(descriptor)
