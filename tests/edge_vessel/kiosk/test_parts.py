"""The small parts, each by itself."""

import asyncio
import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from running_kiosks import ANNA, BORIS, SAMPLES

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.kiosk import client, device_key, events, nonces
from edge_vessel.kiosk.address import tcp
from edge_vessel.kiosk.client import Service
from edge_vessel.kiosk.events import CameraChanged, Events, RemoveAndReturn, ResultGiven
from edge_vessel.kiosk.gate import Gate
from edge_vessel.kiosk.nonces import Nonces
from edge_vessel.kiosk.rate_limit import Allowance, RateLimit
from edge_vessel.kiosk.results import Result, canonical
from edge_vessel.kiosk.tokens import Tokens
from edge_vessel.kiosk.turnstile import LineFullError, Turnstile
from edge_vessel.kiosk.worker import Worker
from edge_vessel.sources import create

KEY = Ed25519PrivateKey.generate()
RESULT = Result(
    "verify", "match", None, "anna", "n" * 16, "0" * 64, "2026-01-31T12:00:00Z", 7, None
)


def test_canonical_json():
    assert canonical({"b": 1, "a": "é", "c": None}) == '{"a":"é","b":1,"c":null}'.encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"status": "no_match"}, "is not signed by the device"),
        ({"signature": "AAAA"}, "is not signed by the device"),
        ({"signature": "not base64!"}, "is not signed by the device"),
        ({"signature": 7}, "is not signed by the device"),
        ({"more": 1}, "is not signed by the device"),
    ],
)
def test_what_a_client_believes(change, message):
    document = json.loads(RESULT.signed(KEY).encoded()) | change
    if message is None:
        assert client.checked(document, KEY.public_key(), "kiosk") == RESULT.signed(KEY)
    else:
        with pytest.raises(DeviceError, match=message):
            client.checked(document, KEY.public_key(), "kiosk")


def test_what_the_device_signs_that_is_no_result():
    document = json.loads(replace(RESULT, subject="x").signed(KEY).encoded())
    del document["hint"], document["signature"]
    document["signature"] = base64.b64encode(KEY.sign(canonical(document))).decode()
    with pytest.raises(DeviceError, match="is no result"):
        client.checked(document, KEY.public_key(), "kiosk")


@pytest.mark.parametrize(
    ("service", "fault", "message"),
    [
        (Service("ftp://localhost"), UsageError, "is no URL of a kiosk"),
        (Service("http://127.0.0.1:1"), DeviceError, "does the kiosk run?"),
        (Service("https://127.0.0.1:1"), DeviceError, "does the kiosk run?"),
        (Service(unix=SAMPLES / "nothing"), DeviceError, "does the kiosk run?"),
    ],
)
def test_a_service_that_is_not_there(service, fault, message):
    with pytest.raises(fault, match=message):
        client.verify(service, "token", KEY.public_key(), "anna", 1.0)


def test_the_device_keeps_its_key(tmp_path):
    first = device_key.load_or_make(tmp_path)
    assert device_key.load_or_make(tmp_path).device == first.device
    assert (tmp_path / "device.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "device.pub.pem").read_text() == first.public_pem


def test_a_line_is_served_in_order_and_has_an_end():
    served: list[int] = []

    async def stand(turnstile: Turnstile, number: int, leave: asyncio.Event) -> None:
        async with turnstile.turn():
            await leave.wait()
            served.append(number)

    async def run() -> None:
        turnstile, leave = Turnstile(2), asyncio.Event()
        line = [asyncio.create_task(stand(turnstile, number, leave)) for number in range(3)]
        await asyncio.sleep(0)
        assert (turnstile.waiting, turnstile.busy, turnstile.full) == (2, True, True)
        with pytest.raises(LineFullError):
            await stand(turnstile, 3, leave)
        line[1].cancel()
        await asyncio.wait([line[1]])
        assert turnstile.waiting == 1
        last = asyncio.create_task(stand(turnstile, 4, leave))
        await asyncio.sleep(0)
        leave.set()
        await asyncio.gather(line[0], line[2], last)
        assert not turnstile.busy

    asyncio.run(run())
    assert served == [0, 2, 4]


def test_a_full_turnstile_without_a_line():
    async def run() -> None:
        turnstile = Turnstile(0)
        async with turnstile.turn():
            with pytest.raises(LineFullError):
                async with turnstile.turn():
                    pass

    asyncio.run(run())


def test_nonces_are_remembered_for_a_while(monkeypatch):
    monkeypatch.setattr(nonces, "REMEMBERED", 2)
    used = Nonces()
    assert [used.use(one) for one in ("a", "b", "a", "c", "b", "a")] == [
        True, True, False, True, False, True,
    ]  # fmt: skip


def test_a_rate_is_limited():
    now_s = 5.0
    limit = RateLimit(60.0, lambda: now_s)
    assert [limit.allows(), limit.allows()] == [True, False]
    now_s = 65.0
    assert [limit.allows(), limit.allows()] == [True, False]


def test_an_allowance_comes_back_with_time_and_is_each_ones_own():
    now_s = 5.0
    allowance = Allowance(2, 6.0, lambda: now_s)
    assert [allowance.take("door") for _ in range(4)] == [0.0, 0.0, 6.0, 6.0]
    assert allowance.take("gate") == 0.0
    allowance.give_back("door")
    assert [allowance.take("door") for _ in range(2)] == [0.0, 6.0]
    now_s += 7.0
    assert [allowance.take("door") for _ in range(2)] == [0.0, 5.0]


def test_a_worker_that_hangs_is_told_from_one_that_works():
    now_s = 5.0
    started, leave = threading.Event(), threading.Event()

    def hang() -> str:
        started.set()
        leave.wait()
        return "done"

    worker = Worker(lambda: now_s)
    assert not worker.stuck
    work = worker.submit(20.0, hang)
    started.wait()
    now_s = 25.0
    assert not worker.stuck
    now_s = 26.0
    assert worker.stuck
    leave.set()
    assert work.result() == "done"
    assert not worker.stuck


def test_a_listener_that_does_not_read_is_left_and_one_that_does_is_kept_alive(monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(events, "_MAX_UNREAD", 3)

    async def run() -> list[bytes]:
        told = Events()
        told.tell(RemoveAndReturn())  # nobody listens yet
        told.use(asyncio.get_running_loop())
        stream = told.listen("terminal")
        heard = [await anext(stream), await anext(stream)]
        for _ in range(5):
            told.tell(RemoveAndReturn())
        told.tell(CameraChanged("closed"))
        await asyncio.sleep(0)
        heard += [one async for one in stream]
        return heard

    heard = asyncio.run(run())
    assert heard[:2] == [b": listening\n\n", b": still here\n\n"]
    assert heard[2:] == [b"event: remove_and_return\ndata: {}\n\n"] * 3


def test_what_a_terminal_does_not_hear():
    told = ResultGiven("no_match", None, "identify", "anna", "frozen")
    assert b"anna" in events.encoded(told, "operator")
    for word in (b"anna", b"frozen"):
        assert word not in events.encoded(told, "terminal")


def test_tokens_are_told_apart_and_read_anew(tmp_path):
    path = tmp_path / "tokens.json"
    tokens, other = Tokens(path), Tokens(path)
    assert tokens.all() == ()
    door, desk = tokens.add("door", "terminal"), other.add("desk", "operator")
    assert [tokens.holder(one).name for one in (door, desk)] == ["door", "desk"]
    assert tokens.holder("wrong") is None
    assert path.stat().st_mode & 0o777 == 0o600
    other.remove("door")
    assert tokens.holder(door) is None
    with pytest.raises(UsageError, match="a token's name"):
        tokens.add("Door!", "terminal")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        tokens.all()
    path.chmod(0o600)
    path.write_text('{"tokens": 3}')
    with pytest.raises(UsageError, match="remove it and add tokens anew"):
        tokens.all()


def test_no_token_is_lost_where_many_are_added_at_once(tmp_path):
    path = tmp_path / "tokens.json"
    names = [f"door{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda name: Tokens(path).add(name, "terminal"), names))
    assert sorted(one.name for one in Tokens(path).all()) == sorted(names)
    assert all(Tokens(path).holder(one) for one in made)


@pytest.mark.parametrize(
    ("text", "allowed", "url"),
    [
        ("127.0.0.1:80", False, "http://127.0.0.1:80"),
        ("localhost:80", False, "http://127.0.0.1:80"),
        ("[::1]:80", False, "http://[::1]:80"),
        ("0.0.0.0:80", True, "http://0.0.0.0:80"),
        ("0.0.0.0:80", False, None),
        ("192.0.2.1:80", False, None),
    ],
)
def test_addresses(text, allowed, url):
    if url is None:
        with pytest.raises(UsageError, match="say --allow-remote"):
            tcp(text, allowed)
    else:
        assert tcp(text, allowed).url == url


@pytest.mark.parametrize(("parts", "apart_s"), [(2, 10), (200, 0.02)])
def test_a_body_that_does_not_come_whole(parts, apart_s, monkeypatch):
    monkeypatch.setattr("edge_vessel.kiosk.gate._BODY_TIMEOUT_S", 0.05)

    async def app(scope, receive, send):
        from starlette.requests import Request

        try:
            await Request(scope, receive).body()
        except Exception as error:
            await send({"type": "http.response.start", "status": error.status_code, "headers": []})
            await send({"type": "http.response.body"})

    async def slow():
        for _ in range(parts):
            yield b"{"
            await asyncio.sleep(apart_s)

    async def run() -> int:
        through = httpx.ASGITransport(Gate(app, ()))
        async with httpx.AsyncClient(transport=through, base_url="http://localhost") as asked:
            return (await asked.post("/", content=slow())).status_code

    assert asyncio.run(run()) == 408


def test_photographs_are_played_as_a_stream(tmp_path):
    for name in (ANNA, BORIS):
        (tmp_path / name).symlink_to(SAMPLES / name)
    source = create(f"play:{tmp_path},fps=100,hold=1,side=200")
    assert source.live
    source.open()
    started_s = time.monotonic()
    frames = [source.read(1.0) for _ in range(101)]
    assert time.monotonic() - started_s > 0.9
    first, second, other = frames[0].image, frames[1].image, frames[100].image
    assert first.shape == (192, 200, 3)
    assert 0 < abs(first.astype(int) - second).mean() < abs(first.astype(int) - other).mean()
    (tmp_path / ANNA).unlink()
    source.open()
    assert abs(source.read(1.0).image.astype(int) - other).mean() < 5
    (tmp_path / BORIS).unlink()
    with pytest.raises(DeviceError, match="no images in this folder"):
        source.open()
    source.close()
