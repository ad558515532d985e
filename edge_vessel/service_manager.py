"""What a service says to the manager that started it: sd_notify(3) over its datagram socket."""

import contextlib
import os
import socket

from edge_vessel.errors import DeviceError, UsageError


class ServiceManager:
    """The manager behind `address`, as $NOTIFY_SOCKET names it: a path, or @ and an abstract name.

    `watchdog_s` is how long it waits for a sign of life; None: for ever.

    Raises:
        UsageError: the address is of another kind.
        DeviceError: nobody listens there.
    """

    def __init__(self, address: str, watchdog_s: float | None) -> None:
        if not address.startswith(("/", "@")):
            raise UsageError(f"NOTIFY_SOCKET={address}: neither a path nor an abstract name")
        self.watchdog_s = watchdog_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(address.replace("@", "\0", 1))
        except OSError as error:
            self._socket.close()
            raise DeviceError(f"NOTIFY_SOCKET={address}: {error.strerror}") from error

    def tell(self, **assignments: str) -> None:
        """Sends one datagram: tell(READY="1", STATUS="..."). A manager that is busy or gone hears
        nothing: its watchdog judges that, no frame waits for it."""
        lines = (f"{name}={' '.join(value.split())}" for name, value in assignments.items())
        with contextlib.suppress(OSError):
            self._socket.send("\n".join(lines).encode(errors="replace"))

    def close(self) -> None:
        """Releases the socket."""
        self._socket.close()


def of_this_process() -> ServiceManager | None:
    """The manager in this process's environment; None where it was started by hand.

    Raises:
        UsageError, DeviceError: as `ServiceManager`.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return None
    period, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    ours = process is None or process == str(os.getpid())
    return ServiceManager(address, int(period) / 1e6 if ours and period.isdecimal() else None)
