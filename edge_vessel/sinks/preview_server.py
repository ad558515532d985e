"""The preview's HTTP server: who may ask, and what is answered."""

import contextlib
import hmac
import logging
import math
import re
import secrets
import select
import socket
import socketserver
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edge_vessel.json_text import strict_json
from edge_vessel.sinks.preview_page import page, security_headers
from edge_vessel.sinks.preview_slot import PreviewSlot

MAX_CONNECTIONS = 16
_IDLE_CHECK_S = 0.5
# For one frame: a viewer who takes longer is dropped.
_PATIENCE_S = 5.0
# From the connection's start: somebody who drips one byte at a time holds a place no longer.
HEADERS_DEADLINE_S = 5.0
REQUEST_DEADLINE_S = 10.0
# What the kernel still holds for a slow viewer is old by the time it is seen.
_SEND_BUFFER_BYTES = 256 * 1024
_BOUNDARY = "frame"
_LOG = logging.getLogger(__name__)


class PreviewServer(ThreadingHTTPServer):
    """Listens, counts connections, and can end them all at once."""

    daemon_threads = True
    # The kernel's queue: with socketserver's 5 a short burst waits a second for its next try.
    request_queue_size = 2 * MAX_CONNECTIONS

    def __init__(
        self, family: socket.AddressFamily, address: str, port: int, slot: PreviewSlot,
        token: str | None,
    ) -> None:  # fmt: skip
        """Binds `address`, which is numeric.

        Raises:
            OSError: the port is in use or forbidden.
        """
        self.address_family = family
        self.slot = slot
        self.token = token
        self.own_names = frozenset({"localhost", "127.0.0.1", "::1", address})
        # Each with the monotonic time at which it began, and what it may take from then on.
        self._connections: dict[socket.socket, tuple[float, float]] = {}
        self._changed = threading.Condition()
        super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        """Leaves out the look-up of the machine's own name, which may ask a DNS server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Turns away what is over `MAX_CONNECTIONS`."""
        with self._changed:
            full = len(self._connections) >= MAX_CONNECTIONS
            if not full:
                self._connections[request] = (time.monotonic(), HEADERS_DEADLINE_S)
        if full:
            self.shutdown_request(request)
            return
        request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forgets the connection and closes it."""
        with self._changed:
            self._connections.pop(request, None)
            self._changed.notify_all()
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Ends the connections that are past their deadline."""
        now_s = time.monotonic()
        with self._changed:
            for connection, (began_s, allowed_s) in self._connections.items():
                if now_s - began_s > allowed_s:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def allow(self, connection: socket.socket, allowed_s: float) -> None:
        """Lets a connection last `allowed_s` from its start."""
        with self._changed:
            began_s, _ = self._connections[connection]
            self._connections[connection] = (began_s, allowed_s)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Stays silent about a viewer who left; logs our own faults, without the request."""
        fault = sys.exception()
        if not isinstance(fault, OSError):
            # A traceback's last line may quote the request, and with it the token.
            _LOG.error("the preview failed to answer: %s", type(fault).__name__)

    def disconnect(self, timeout_s: float) -> None:
        """Ends every connection and waits for its thread."""
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, timeout_s)


class _Handler(BaseHTTPRequestHandler):
    server: PreviewServer
    timeout = _PATIENCE_S
    server_version = "edge-vessel"
    sys_version = ""
    nonce = ""

    def do_GET(self) -> None:
        self.server.allow(self.connection, REQUEST_DEADLINE_S)
        try:
            url = urlsplit(self.path)
        except ValueError:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", b"bad request\n")
            return
        if not self._allowed(url.query, url.path):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain; charset=utf-8", b"forbidden\n")
        elif url.path == "/":
            self.nonce = secrets.token_urlsafe(16)
            content = page(self.server.token, self.nonce)
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", content)
        elif url.path == "/status":
            content = strict_json(self.server.slot.status()).encode() + b"\n"
            self._answer(HTTPStatus.OK, "application/json", content)
        elif url.path == "/stream":
            with self.server.slot.viewer() as free:
                if free:
                    self.server.allow(self.connection, math.inf)
                    self._stream()
                else:
                    reason = b"too many viewers\n"
                    self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", reason)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")

    def end_headers(self) -> None:
        for name, value in security_headers(self.nonce or secrets.token_urlsafe(16)).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Stays silent: the request's line holds the token."""

    def _allowed(self, query: str, path: str) -> bool:
        token = self.server.token
        if token is not None:
            given = parse_qs(query).get("token", [""])[-1]
            return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or _name_of(hosts[0]) not in self.server.own_names:
            return False
        # Another site's page may link here; it may not embed the stream.
        return path == "/" or self.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        # A browser shows a part once it has seen the boundary after it.
        self.wfile.write(f"--{_BOUNDARY}\r\n".encode())
        slot, number = self.server.slot, 0
        while not slot.closed:
            newest = slot.jpeg_after(number, _IDLE_CHECK_S)
            if newest is None:
                if self._left():
                    return
                continue
            number, jpeg = newest
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + f"\r\n--{_BOUNDARY}\r\n".encode())

    def _left(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""


def _name_of(host: str) -> str:
    match = re.fullmatch(r"\[([^\]]+)\](?::\d+)?|([^:]+)(?::\d+)?", host.strip())
    return (match[1] or match[2]).lower() if match else ""
