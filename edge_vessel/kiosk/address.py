"""Where the service listens."""

import contextlib
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from edge_vessel.errors import DeviceError, UsageError

DEFAULT_BIND = "127.0.0.1:8471"
_SOCKET_MODE = 0o660


@dataclass(frozen=True)
class Address:
    """Where to listen: `host` (numeric) and `port`, or `path` of a Unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @property
    def url(self) -> str:
        """For a person."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def tcp(text: str, allow_remote: bool) -> Address:
    """HOST:PORT.

    Raises:
        UsageError: not of that form, or an address that others reach and nobody has allowed.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        number = int(port) if port.isascii() and port.isdecimal() else -1
    except ValueError as error:
        raise UsageError(f"--bind {text}: ADDRESS:PORT, such as {DEFAULT_BIND}") from error
    if not 0 <= number <= 65535:
        raise UsageError(f"--bind {text}: ADDRESS:PORT, such as {DEFAULT_BIND}")
    if not (address.is_loopback or allow_remote):
        raise UsageError(
            f"--bind {text}: others would reach it; bind {DEFAULT_BIND}, put TLS before it, or say "
            "--allow-remote"
        )
    return Address(str(address), number)


def listen(address: Address) -> tuple[socket.socket, Address]:
    """A socket that listens, and where: port 0 has become one that was free. A Unix socket that
    nobody listens on is replaced.

    Raises:
        DeviceError: in use or forbidden.
    """
    try:
        if address.path is None:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            listener = socket.create_server((address.host, address.port), family=family)
            return listener, replace(address, port=listener.getsockname()[1])
        return _listen_unix(address.path), address
    except OSError as error:
        raise DeviceError(f"{address.url}: cannot be bound: {error.strerror}") from error


def _listen_unix(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise DeviceError(f"{path}: is no socket; name another path")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise DeviceError(f"{path}: another service listens there; stop it first")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o777 & ~_SOCKET_MODE)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen()
    return listener
