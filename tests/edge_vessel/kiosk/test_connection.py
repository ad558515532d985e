"""Slow clients, over real sockets; the deadlines are shortened."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvicorn

from edge_vessel.kiosk import connection
from edge_vessel.kiosk.connection import Connection

DEADLINE_S = 0.3
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
_LONG = b"x" * 2**20

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


async def app(scope, receive, send):
    """/slow answers later than a request may take; /long answers much."""
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * DEADLINE_S)
    parts = 64 if scope["path"] == "/long" else 1
    body = _LONG if scope["path"] == "/long" else b"done"
    length = str(parts * len(body)).encode()
    headers = [(b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in range(parts):
        await send({"type": "http.response.body", "body": body, "more_body": part + 1 < parts})


def heard(client: Client) -> bytes:
    """What a client reads until it is left, or leaves."""

    async def run() -> bytes:
        config = uvicorn.Config(app, http=Connection, ws="none", lifespan="off", log_config=None)
        server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            return await asyncio.wait_for(client(reader, writer), 20)
        finally:
            writer.close()
            server.should_exit = True
            await serving

    return asyncio.run(run())


async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """A header that never ends, a byte at a time."""
    reading = asyncio.create_task(_all(reader))
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    while not reading.done():
        writer.write(b"x")
        await asyncio.sleep(DEADLINE_S / 10)
    return reading.result()


async def _all(reader: asyncio.StreamReader) -> bytes:
    content = b""
    try:
        while part := await reader.read(2**16):
            content += part
    except ConnectionResetError:
        pass
    return content


async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    return await _all(reader)


async def dribble_after_an_answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    writer.write(REQUEST)
    first = await reader.readuntil(b"done")
    return first + await dribble(reader, writer)


async def wait_for_a_slow_answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    writer.write(REQUEST.replace(b"/", b"/slow", 1))
    return await reader.readuntil(b"done")


async def two_slow_ones_at_once(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    writer.write(2 * REQUEST.replace(b"/", b"/slow", 1))
    return await reader.readuntil(b"done") + await reader.readuntil(b"done")


@pytest.mark.parametrize(
    ("client", "answers"),
    [
        (nothing, 0), (dribble, 0), (dribble_after_an_answer, 1), (wait_for_a_slow_answer, 1),
        (two_slow_ones_at_once, 2),
    ],
)  # fmt: skip
def test_a_request_has_to_come_in_time(client: Client, answers: int, monkeypatch):
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", DEADLINE_S)
    assert heard(client).count(b"200 OK") == answers


def test_who_does_not_read_is_left(monkeypatch):
    monkeypatch.setattr(connection, "READING_TIMEOUT_S", DEADLINE_S)

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(REQUEST.replace(b"/", b"/long", 1))
        await asyncio.sleep(4 * DEADLINE_S)
        return await _all(reader)

    assert 0 < len(heard(stall)) < 64 * len(_LONG)
