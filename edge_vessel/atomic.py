"""Files that are whole or not there."""

import contextlib
import os
import tempfile
from pathlib import Path

from edge_vessel.errors import DeviceError


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Writes to a temporary name in the same folder, flushes, fsyncs, renames, fsyncs the folder.

    Raises:
        DeviceError: the disk is full, or the folder is missing or cannot be written.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        temporary = None
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
