"""One at a time, across processes; the kernel lets go of a lock whose holder was killed."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from edge_vessel.errors import DeviceError
from edge_vessel.owner import as_owner

_POLL_S = 0.02


@contextlib.contextmanager
def locked(path: Path, holder: str, wait_s: float = 0.0) -> Iterator[None]:
    """Holds the lock file `path`, which stays; `holder` names in messages who else may hold it.

    Root and the owner of its folder alone may open it, for root opens it as the owner: whoever may
    open it may hold it for ever.

    Raises:
        DeviceError: somebody else still holds it after `wait_s`, or it cannot be opened.
    """
    try:
        descriptor = _open(path)
    except PermissionError as error:
        raise DeviceError(
            f"{path}: cannot be opened: {error.strerror}; give {path.parent} and all in it to "
            "the user that runs from it"
        ) from error
    except OSError as error:
        raise DeviceError(f"{path}: cannot be opened: {error.strerror}") from error
    try:
        deadline_s = time.monotonic() + wait_s
        while not _taken(descriptor):
            if time.monotonic() >= deadline_s:
                raise DeviceError(f"{path}: {holder} is at work: try again when it has ended")
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    with as_owner(path.parent):
        flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o600)  # releases before left it open to all
        return descriptor


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
