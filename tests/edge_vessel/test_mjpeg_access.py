"""Who may look at the preview, by which name and token, and what no answer gives away."""

import socket
from urllib.parse import urlsplit

import pytest
from preview_viewers import get
from results import make_result

from edge_vessel.errors import UsageError
from edge_vessel.sinks.mjpeg import MjpegSink

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("path", ["/", "/status", "/nowhere"])
def test_every_answer_carries_the_security_headers(sink: MjpegSink, path: str) -> None:
    _, headers, _ = get(sink, path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "Python" not in headers["server"]


@pytest.mark.parametrize(
    ("status", "method"),
    [(404, "GET /secret"), (501, "POST /"), (400, "GET / x y"), (400, "GET http://[")],
)
def test_what_it_does_not_offer(sink: MjpegSink, status: int, method: str) -> None:
    with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as client:
        client.sendall(f"{method} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert client.makefile("rb").readline().split()[1] == str(status).encode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "LocalHost"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": ""}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
    ids=str,
)
def test_another_site_cannot_reach_a_loopback_preview(
    sink: MjpegSink, headers: dict[str, str], status: int
) -> None:
    assert get(sink, "/status", headers)[0] == status


def test_a_request_without_or_with_two_hosts_is_refused(sink: MjpegSink) -> None:
    for hosts in ("", "Host: localhost\r\nHost: evil.example\r\n"):
        with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as client:
            client.sendall(f"GET /status HTTP/1.1\r\n{hosts}\r\n".encode())
            assert client.makefile("rb").readline().split()[1] == b"403"


@pytest.mark.parametrize("path", ["/", "/stream", "/status", "/nowhere"])
@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=0123456789abcdeX", "?token=%C3%A9", "?Token=" + TOKEN]
)
def test_nothing_is_told_without_the_token(path: str, query: str) -> None:
    sink = MjpegSink("127.0.0.1", 0, TOKEN)
    try:
        sink.write(make_result())
        status, _, content = get(sink, path + query)
        assert (status, content) == (403, b"forbidden\n")
    finally:
        sink.close()


def test_the_token_opens_everything_by_any_name() -> None:
    sink = MjpegSink("127.0.0.1", 0, TOKEN)
    try:
        assert sink.url == f"http://127.0.0.1:{sink.port}/?token={TOKEN}"
        status, _, content = get(sink, f"/?token={TOKEN}", {"Host": "kiosk.local"})
        assert status == 200
        assert f'src="stream?token={TOKEN}"' in content.decode()
        assert get(sink, f"/status?token={TOKEN}", {"Host": "kiosk.local"})[0] == 200
    finally:
        sink.close()


def test_the_token_is_never_written_anywhere(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    sink = MjpegSink("0.0.0.0", 0)
    token = urlsplit(sink.url).query.removeprefix("token=")
    get(sink, f"/?token={token}")
    get(sink, f"/stream?token={token}x")
    sink.close()
    out, err = capfd.readouterr()
    assert token not in out + err + caplog.text


def test_beyond_loopback_a_token_is_made() -> None:
    sinks = [MjpegSink("0.0.0.0", 0) for _ in range(2)]
    try:
        tokens = {urlsplit(sink.url).query for sink in sinks}
        assert len(tokens) == 2
        assert all(len(token) >= len("token=") + 32 for token in tokens)
        assert get(sinks[0], "/status")[0] == 403
    finally:
        for sink in sinks:
            sink.close()


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "with spaces in it and long", "é" * 20])
def test_weak_tokens_are_refused(token: str) -> None:
    with pytest.raises(UsageError, match="too weak") as caught:
        MjpegSink("127.0.0.1", 0, token)
    assert not token or token not in str(caught.value)
