"""Folders that are whole or not there."""

import ctypes
import errno
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edge_vessel.errors import DeviceError, UsageError

# renameat2(2); Python has no call for it.
AT_FDCWD = -100
RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def write_folder(folder: Path, files: Mapping[str, bytes], overwrite: bool = False) -> None:
    """Writes a flat folder under a temporary name beside it, fsyncs all of it, renames.

    With `overwrite` an existing folder is exchanged in one step and then removed: a reader, or a
    power cut, finds the old one or the new one. Where the file system cannot exchange (NFS), there
    is a moment with neither; a failure in it puts the old one back.

    Raises:
        UsageError: the folder exists, and `overwrite` is False.
        DeviceError: the disk is full, or the parent folder is missing or cannot be written.
    """
    temporary = None
    try:
        if os.path.lexists(folder) and not overwrite:
            raise FileExistsError
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, content in files.items():
            with (temporary / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        temporary.chmod(0o755)
        _sync(temporary)
        if overwrite and folder.is_dir():
            _exchange(temporary, folder)
        elif not _renameat2(temporary, folder, RENAME_NOREPLACE):
            temporary.rename(folder)
        _sync(folder.parent)
    except FileExistsError as error:
        raise UsageError(f"{folder}: exists already; choose another folder") from error
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Makes it, and those on the way, where they are not there yet.

    Raises:
        DeviceError: it cannot be made.
    """
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be made: {error.strerror}") from error


def put_in_place(new: Path, folder: Path) -> None:
    """Renames folder `new` to `folder` and fsyncs their parent; what stood there is at `new` then.

    `new` is on the disk already, such as by `write_folder`, and both have one parent. A power cut
    finds the old folder or the new one, with the exception that `write_folder` names.

    Raises:
        DeviceError: the disk is full or failing, or the parent cannot be written.
    """
    try:
        if folder.is_dir():
            _exchange(new, folder)
        else:
            new.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be written: {error.strerror}") from error


def _exchange(new: Path, old: Path) -> None:
    if _renameat2(new, old, RENAME_EXCHANGE):
        return
    aside = new.with_name(new.name + ".old")
    old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        aside.rename(old)
        raise
    aside.rename(new)


def _renameat2(source: Path, target: Path, flags: int) -> bool:
    """False where the C library or the file system does not know the flag."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(source))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
