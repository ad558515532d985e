"""A live preview over HTTP: `--serve HOST:PORT`."""

import errno
import ipaddress
import re
import secrets
import socket
import threading

import psutil

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable
from edge_vessel.sinks.preview_server import PreviewServer
from edge_vessel.sinks.preview_slot import PreviewSlot

MAX_VIEWERS = 4
_ACCEPT_POLL_S = 0.1
_CLOSE_TIMEOUT_S = 0.7
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,256}")
_MAX_PORT = 65535


class MjpegSink:
    """Serves `/` (a page), `/stream` (multipart JPEG of the overlay) and `/status` (JSON).

    Photographs stay on the device by default: without a token only loopback addresses are served,
    and only to requests whose Host is loopback (a web page cannot reach them by DNS rebinding). On
    any other address each request has to carry `?token=`; one is made where none is given. The
    connection itself is not encrypted: across a network `ssh -L` to a loopback preview is safer.

    The pipeline only leaves the newest result in a slot. A frame is drawn and compressed once, when
    a viewer asks for it; a slow viewer misses frames and nobody waits for it.

    Attributes:
        url: what to open in a browser, with the token: show it once, never log it.
        port: the port that was bound.
    """

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        """Listens on `host` (a name or an address) and `port` (0: any free one).

        Args:
            token: at least 16 of A-Z a-z 0-9 _ -; demanded on loopback too where it is given.

        Raises:
            UsageError: the host is unknown or the token is too weak.
            DeviceError: the port is in use or forbidden, or the address is not this device's.
        """
        if token is not None and not _TOKEN.fullmatch(token):
            raise UsageError("the preview's token is too weak: use 16 or more of A-Z a-z 0-9 _ -")
        family, address = _resolve(host, port)
        if token is None and not ipaddress.ip_address(address).is_loopback:
            token = secrets.token_urlsafe(24)
        self._slot = PreviewSlot(MAX_VIEWERS)
        try:
            self._server = PreviewServer(family, address, port, self._slot, token)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise DeviceError(
                    f"{host}:{port}: the preview cannot listen here: no interface of this device "
                    "has this address: choose one that has, or 127.0.0.1, with --serve HOST:PORT"
                ) from error
            raise DeviceError(
                f"{host}:{port}: the preview cannot listen here: {error.strerror}: "
                "choose another port with --serve HOST:PORT"
            ) from error
        self.port = int(self._server.server_address[1])
        if ipaddress.ip_address(address).is_unspecified:
            address = _reachable(family)
        shown = f"[{address}]" if ":" in address else address
        self.url = f"http://{shown}:{self.port}/" + (f"?token={token}" if token else "")
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_ACCEPT_POLL_S,), name="preview", daemon=True
        )
        self._thread.start()

    def write(self, result: Result) -> None:
        """Shows `result` to whoever watches; its arrays must not change any more."""
        self._slot.put(result)

    def unreadable(self, frame: Unreadable) -> None:
        """Shows its error in `/status` and on the page, over the picture before it."""
        self._slot.put_unreadable(frame)

    def event(self, event: CameraEvent) -> None:
        """Shows the camera's state in `/status` and on the page."""
        self._slot.put_event(event)

    def close(self) -> None:
        """Ends every connection and frees the port, within a second."""
        if self._slot.closed:
            return
        self._slot.close()
        self._server.shutdown()
        self._server.disconnect(_CLOSE_TIMEOUT_S)
        self._server.server_close()


def parse_address(text: str) -> tuple[str, int]:
    """Splits "HOST:PORT", "[IPv6]:PORT" or ":PORT" (loopback) into host and port.

    Raises:
        UsageError: it is none of these, or the port is over 65535.
    """
    match = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})", text)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise UsageError(f"--serve {text}: give HOST:PORT, for example 127.0.0.1:8080")
    return match["six"] or match["host"] or "127.0.0.1", int(match["port"])


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    # The address that is judged is the address that is bound: a name is looked up once.
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"--serve {host}: no such host: give an address of this device, such as 127.0.0.1"
        ) from error
    return family, str(address[0])


def _reachable(family: socket.AddressFamily) -> str:
    """An address that others reach this device by; its name, which need not resolve, if none."""
    try:
        up = {name for name, state in psutil.net_if_stats().items() if state.isup}
        interfaces = psutil.net_if_addrs()
    except OSError:
        return socket.gethostname()
    found = [
        entry.address
        for name, entries in interfaces.items()
        if name in up
        for entry in entries
        # An IPv6 socket takes IPv4 as well.
        if entry.family in {family, socket.AF_INET}
    ]
    for address in found:
        # A link-local address means nothing without the interface of the one who asks.
        numeric = ipaddress.ip_address(address)
        if not numeric.is_loopback and not numeric.is_link_local:
            return address
    return socket.gethostname()
