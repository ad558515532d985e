"""An external meter that answers over HTTP, with one line of the line protocol.

Names are not looked up, redirects are not followed, and an answer that takes too long or is too
long is given up.
"""

import contextlib
import http.client
import ipaddress
import re
import socket
import threading
import time
from urllib.parse import urlsplit

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters.base import Kind, Meter, Sample
from edge_vessel.meters.line_protocol import LONGEST, Address, parse_watts

_TIMEOUT_S = 2.0
_OK = 200


class HttpMeter(Meter):
    """Asks the address for each reading."""

    kind: Kind = "measured"
    # A USB or wall meter has a new figure about once a second.
    rate_hz = 2.0

    def __init__(self, address: Address, timeout_s: float = _TIMEOUT_S) -> None:
        """`timeout_s` bounds a reading, from the connection to the answer's last byte.

        Raises:
            UsageError: the URL is not http://ADDRESS[:PORT]/PATH with an IP address or localhost,
                or a baud rate was given.
        """
        self._host, self._port, self._path = _parse(address.place)
        if address.baud is not None:
            raise UsageError(
                f"{address.place}: baud={address.baud} is a serial port's; leave it out"
            )
        self._address = address
        self._timeout_s = timeout_s
        self.name = f"meter at {address.place}"
        self.accuracy = address.describe()

    def sample(self) -> Sample:
        """See `Meter.sample`."""
        before_s = time.monotonic()
        line = self._get().partition(b"\n")[0]
        power_w = parse_watts(line, self._address.place)
        if power_w is None:
            raise DeviceError(f"{self._address.place}: an answer without a reading such as 5.13 W")
        return Sample((before_s + time.monotonic()) / 2, power_w)

    def uncertainty_w(self, power_w: float) -> float | None:
        """See `Meter.uncertainty_w`."""
        return self._address.uncertainty_w(power_w)

    def _get(self) -> bytes:
        deadline_s = time.monotonic() + self._timeout_s
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        late = threading.Event()
        try:
            connection.connect()
            # The socket's own timeout starts anew with each byte: this one does not.
            left_s = deadline_s - time.monotonic()
            watch = threading.Timer(left_s, _cut, (connection.sock, late))
            watch.daemon = True
            watch.start()
            try:
                connection.request("GET", self._path, headers={"Connection": "close"})
                answer = connection.getresponse()
                if answer.status != _OK:
                    raise DeviceError(
                        f"{self._address.place}: answers {answer.status}; check the URL's path"
                    )
                body = answer.read(LONGEST + 1)
            finally:
                watch.cancel()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._fault(error, late.is_set()) from error
        finally:
            connection.close()
        if late.is_set():
            raise self._fault(TimeoutError(), late=True)
        if not _is_whole(answer, body):
            raise DeviceError(f"{self._address.place}: an answer that was cut off; ask again")
        return body

    def _fault(self, error: Exception, late: bool) -> DeviceError:
        if late or isinstance(error, TimeoutError):
            reason = f"no whole answer within {self._timeout_s:g} s"
        elif isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        else:
            reason = f"no HTTP answer ({type(error).__name__})"
        return DeviceError(f"{self._address.place}: {reason}; is the meter on?")


def _is_whole(answer: http.client.HTTPResponse, body: bytes) -> bool:
    """Whether the first line's end is known: http.client passes over bytes that did not come."""
    if len(body) > LONGEST or answer.chunked:
        return True
    return b"\n" in body if answer.length is None else answer.length == 0


def _cut(connection: socket.socket, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _parse(url: str) -> tuple[str, int, str]:
    """Host, port and path with its query."""
    wanted = "--meter http://ADDRESS[:PORT]/PATH with an IP address or localhost"
    if re.match(r"http://[^/]*@", url):
        raise UsageError(f"{wanted}; a name and password are not sent")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = http.client.HTTP_PORT if parts.port is None else parts.port
        if port == 0 or "#" in url:
            raise ValueError(url)
        if host != "localhost":
            ipaddress.ip_address(host)
    except ValueError as error:
        raise UsageError(f"{url}: {wanted}") from error
    # Of the URL as it was given: urlsplit leaves some characters out.
    if not re.fullmatch(r"[!-~]+", url):
        raise UsageError(f"{url!r}: {wanted}; it holds a character that must be escaped")
    return host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
