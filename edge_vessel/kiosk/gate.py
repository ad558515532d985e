"""What every request passes before it is looked into, and what every answer carries."""

import asyncio
import ipaddress
from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_vessel.json_text import strict_json

MAX_BODY_BYTES = 4096
_BODY_TIMEOUT_S = 10.0
_TOO_LARGE = f"a body has at most {MAX_BODY_BYTES} bytes"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ENCODED = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


class Gate:
    """Refuses names that are not this service's (a page elsewhere may have pointed its own at this
    device: DNS rebinding) and bodies that are too large or too slow.

    Args:
        names: hosts by which this service may be asked, in lower case; addresses of the loopback
            interface always may.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_ENCODED]}
            await send(message)

        host = _host(headers.get(b"host", b"").decode("latin-1"))
        if host not in self._names and not _is_loopback(host):
            await _refuse(send_guarded, 421, f"{host[:80]!r}: is no name of this service")
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:9]) > MAX_BODY_BYTES:
            await _refuse(send_guarded, 413, _TOO_LARGE)
            return
        await self._app(scope, _bounded(receive), send_guarded)


def _bounded(receive: Receive) -> Receive:
    """The same messages, up to the end of the body under both limits; HTTPException over them."""
    taken, whole = 0, False
    until_s = asyncio.get_running_loop().time() + _BODY_TIMEOUT_S

    async def receive_bounded() -> Message:
        nonlocal taken, whole
        if whole:
            return await receive()  # waits for the client to leave
        try:
            async with asyncio.timeout_at(until_s):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, "the body did not come in time") from error
        taken += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if taken > MAX_BODY_BYTES:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return receive_bounded


def _host(header: str) -> str:
    """Without the port and the brackets of an IPv6 address."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _refuse(send: Send, status: int, error: str) -> None:
    body = strict_json({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
