"""The service as its clients see it: a real process, real HTTP, photographs before the camera."""

import base64
import hashlib
import json
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from running_kiosks import (
    ANNA,
    BORIS,
    SAMPLES,
    SLOW_S,
    Kiosk,
    another_capture,
    ask,
    enrol,
    nonce,
)  # fmt: skip

from edge_vessel.biometrics.quality import HINTS


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory) -> Kiosk:
    kiosk = Kiosk(tmp_path_factory.mktemp("kiosk"))
    kiosk.show(SAMPLES / ANNA)
    return kiosk


@pytest.fixture(scope="module")
def client(kiosk):
    """Anna is enrolled, by two captures."""
    with kiosk.serving("--queue", "2") as client:
        enrol(client, "anna", captures=2)
        yield client


def as_terminal(kiosk: Kiosk) -> dict[str, str]:
    return {"Authorization": f"Bearer {kiosk.terminal}"}


def test_tells_people_apart(kiosk, client, tmp_path):
    kiosk.show(another_capture(SAMPLES / ANNA, tmp_path))
    assert ask(client, "verify", "anna")["status"] == "match"
    found = ask(client, "identify")
    assert (found["status"], found["subject"]) == ("match", "anna")
    kiosk.show(SAMPLES / BORIS)
    refused = ask(client, "verify", "anna")
    assert (refused["status"], refused["hint"], refused["subject"]) == ("no_match", None, "anna")
    found = ask(client, "identify")
    assert (found["status"], found["subject"]) == ("no_match", None)
    assert ask(client, "verify", "nobody")["status"] == "no_match"


@pytest.mark.data
def test_another_photograph_of_the_same_eye(kiosk, client, data):
    """RIDB: five captures of each person."""
    first, second = (sorted((data / "RIDB" / name).iterdir()) for name in ("P1", "P2"))
    kiosk.show(*first[:2])
    enrol(client, "p1", captures=2)
    kiosk.show(first[3])
    assert ask(client, "verify", "p1")["status"] == "match"
    assert ask(client, "identify")["subject"] == "p1"
    kiosk.show(second[0])
    assert ask(client, "verify", "p1")["status"] == "no_match"
    assert client.delete("/v1/subjects/p1").status_code == 200


def test_a_result_is_signed(kiosk, client):
    """By the lines that a client in any language would write."""
    kiosk.show(SAMPLES / ANNA)
    asked = nonce()
    result = ask(client, "verify", "anna", nonce=asked)
    assert set(result) == {
        "operation", "status", "hint", "subject", "nonce", "device", "time", "sequence",
        "retry_after_s", "signature",
    }  # fmt: skip
    device = client.get("/v1/device").json()
    key = load_pem_public_key(device["public_key"].encode())
    assert result["nonce"] == asked
    raw = key.public_bytes_raw()
    assert result["device"] == device["device"] == hashlib.sha256(raw).hexdigest()
    signature = base64.b64decode(result.pop("signature"))

    def canonical() -> bytes:
        return json.dumps(result, sort_keys=True, separators=(",", ":")).encode()

    key.verify(signature, canonical())
    result["status"] = "no_match"
    with pytest.raises(InvalidSignature):
        key.verify(signature, canonical())
    assert device["model"]["name"] == "m2unet-fundus-544"


def test_deletes(kiosk, client):
    kiosk.show(SAMPLES / BORIS)
    enrol(client, "boris")
    names = [one["subject"] for one in client.get("/v1/subjects").json()["subjects"]]
    assert names == ["anna", "boris"]
    again = client.post("/v1/enrol", json={"subject": "boris", "nonce": nonce()})
    assert (again.status_code, again.json()) == (
        409, {"error": "boris: is enrolled; delete first"}
    )  # fmt: skip
    receipt = client.delete("/v1/subjects/boris").json()
    assert receipt["subject"] == "boris"
    assert len(receipt["template_ids"]) == 1
    assert ask(client, "identify")["status"] == "no_match"
    assert client.delete("/v1/subjects/boris").status_code == 404


def test_says_what_to_change_when_the_time_is_over(kiosk, client):
    kiosk.show()
    for timeout_s in (2.0, SLOW_S / 2):  # a busy machine may not have looked at a frame in two
        result = ask(client, "verify", "anna", timeout_s=timeout_s)
        if result["hint"] is not None:
            break
    assert (result["status"], result["hint"]) == ("timeout", "too_dark")


def test_locks_out_and_tells_how_long(kiosk, client):
    kiosk.fail("stranger", times=4)
    kiosk.show(SAMPLES / BORIS)
    assert ask(client, "verify", "stranger")["status"] == "no_match"
    locked = ask(client, "verify", "stranger")
    assert locked["status"] == "locked"
    assert 0 < locked["retry_after_s"] <= 30
    kiosk.show(SAMPLES / ANNA)
    assert ask(client, "verify", "anna")["status"] == "match"


def test_a_terminal_cannot_lengthen_the_audit_file_at_will(kiosk, client):
    """`another` is locked: each request is answered at once."""
    kiosk.fail("another", times=5)
    before = client.get("/v1/audit?limit=1").json()["lines"][0]["seq"]
    codes = []
    for _ in range(40):
        body = {"subject": "another", "nonce": nonce()}
        answer = client.post("/v1/verify", json=body, headers=as_terminal(kiosk))
        codes.append(answer.status_code)
    assert codes[:25] == [200] * 25
    assert codes[-1] == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 6
    after = client.get("/v1/audit?limit=1").json()["lines"][0]["seq"]
    assert after - before == codes.count(200)


def test_a_client_that_leaves_cancels_its_capture(kiosk, client):
    kiosk.show()
    where = urlsplit(kiosk.url)
    body = json.dumps({"subject": "anna", "nonce": nonce(), "timeout_s": 100})
    with socket.create_connection((where.hostname, where.port)) as leaving:
        head = f"POST /v1/verify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        head += f"Authorization: Bearer {kiosk.operator}\r\nContent-Type: application/json\r\n\r\n"
        leaving.sendall((head + body).encode())
        wait_until(lambda: client.get("/v1/status").json()["camera"] == "ok")
    wait_until(lambda: client.get("/v1/status").json()["state"] == "idle")
    assert client.get("/v1/status").json()["camera"] == "closed"
    last = client.get("/v1/audit?limit=1").json()["lines"][0]
    assert (last["event"], last["result"]) == ("verify", "cancelled_too_dark")


def wait_until(happened) -> None:
    until_s = time.monotonic() + SLOW_S
    while not happened():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_events_tell_what_happens_and_to_whom(kiosk, client):
    kiosk.show(SAMPLES / ANNA)
    streams: dict[str, list[tuple[str, dict]]] = {"operator": [], "terminal": []}
    listening = threading.Barrier(3)

    def listen(role: str, token: str) -> None:
        asked = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=SLOW_S)
        with asked, asked.stream("GET", f"{kiosk.url}/v1/events") as stream:
            name = ""
            for line in stream.iter_lines():
                if line == ": listening":
                    listening.wait()
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    streams[role].append((name, json.loads(value)))
                    if (name, streams[role][-1][1].get("state")) == ("camera", "closed"):
                        return

    threads = [
        threading.Thread(target=listen, args=one)
        for one in (("operator", kiosk.operator), ("terminal", kiosk.terminal))
    ]
    for thread in threads:
        thread.start()
    listening.wait()
    asked = nonce()
    ask(client, "identify", nonce=asked)
    for thread in threads:
        thread.join(SLOW_S)
    for role, subject in (("operator", "anna"), ("terminal", None)):
        names = [name for name, _ in streams[role]]
        told = dict(streams[role])
        assert [name for name in names if name != "hint"] == [
            "capture_started", "capture_taken", "result", "camera",
        ]  # fmt: skip
        assert told["capture_started"]["request"] == hashlib.sha256(asked.encode()).hexdigest()[:8]
        assert told["hint"]["hint"] in (None, *HINTS)
        assert told["result"]["status"] == "match"
        assert told["result"]["subject"] == subject
        assert "score" not in json.dumps(streams[role])


def test_one_token_does_not_take_every_listeners_place(kiosk, client):
    """All asked for at once, before any is answered."""
    where = urlsplit(kiosk.url)
    head = f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {kiosk.terminal}"
    greedy = [socket.create_connection((where.hostname, where.port)) for _ in range(12)]
    for one in greedy:
        one.sendall(f"{head}\r\n\r\n".encode())
    codes = [one.recv(12)[-3:] for one in greedy]
    assert (codes.count(b"200"), codes.count(b"429")) == (8, 4)
    with client.stream("GET", "/v1/events") as stream:
        assert stream.status_code == 200
    for one in greedy:
        one.close()

    def admitted() -> bool:
        with client.stream("GET", "/v1/events", headers=as_terminal(kiosk)) as stream:
            return stream.status_code == 200

    wait_until(admitted)


def test_a_preview_while_a_capture_runs(kiosk, client):
    assert client.get("/v1/preview").status_code == 204
    kiosk.show(SAMPLES / BORIS)
    worker = threading.Thread(target=ask, args=(client, "verify", "anna"))
    worker.start()
    pictures = {}
    while worker.is_alive():
        answer = client.get(f"/v1/preview?after={max(pictures, default=0)}")
        if answer.status_code == 200:
            assert answer.content.startswith(b"\xff\xd8")
            pictures[int(answer.headers["X-Frame"])] = answer.headers.get("X-Fov")
    circles = [circle for circle in pictures.values() if circle is not None]
    assert circles
    for circle in circles:
        x, y, r = map(float, circle.split(","))
        assert (abs(x - 0.5) < 0.1, abs(y - 0.5) < 0.1, 0.4 < r < 0.6) == (True, True, True)
    assert client.get("/v1/preview").status_code == 204


def test_a_nonce_counts_once(client):
    body = {"subject": "anna", "nonce": nonce(), "timeout_s": 0.1}
    assert client.post("/v1/verify", json=body).status_code == 200
    again = client.post("/v1/verify", json=body)
    assert (again.status_code, again.json()) == (
        409, {"error": "the nonce was used before; make a new one"}
    )  # fmt: skip


GOOD = {"subject": "anna", "nonce": "n" * 16, "timeout_s": 0.1}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/verify", {**GOOD, "more": 1}, 422),
        ("POST", "/v1/verify", {**GOOD, "subject": "Anna"}, 422),
        ("POST", "/v1/verify", {**GOOD, "subject": "anna\n"}, 422),
        ("POST", "/v1/verify", {**GOOD, "nonce": "short"}, 422),
        ("POST", "/v1/verify", {**GOOD, "nonce": "n" * 65}, 422),
        ("POST", "/v1/verify", {**GOOD, "timeout_s": 1e9}, 422),
        ("POST", "/v1/verify", {**GOOD, "timeout_s": "1"}, 422),
        ("POST", "/v1/verify", b'{"timeout_s": NaN}', 422),
        ("POST", "/v1/verify", b"[" * 4000, 400),
        ("POST", "/v1/verify", b"\xff", 400),
        ("POST", "/v1/verify", b" " * 5000, 413),
        ("POST", "/v1/enrol", {**GOOD, "captures": 100}, 422),
        ("POST", "/v1/identify", GOOD, 422),
        ("GET", "/v1/verify", None, 405),
        ("GET", "/v1/preview?after=-1", None, 422),
        ("GET", "/v1/audit?limit=100000", None, 422),
        ("DELETE", "/v1/subjects/No", None, 422),
        ("GET", "/v1/nothing", None, 404),
        ("GET", "/static/../kiosk.py", None, 404),
    ],
)
def test_what_is_refused(method, path, body, status, client):
    content = body if isinstance(body, bytes) else None
    sent = {"content": content} if content else {"json": body}
    headers = {"Content-Type": "application/json"}
    answer = client.request(method, path, headers=headers, **sent)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert "\n" not in answer.json()["error"]


def test_a_body_without_an_announced_length_is_bounded_too(client):
    parts = (b" " * 1000 for _ in range(100))
    answer = client.post("/v1/verify", content=parts, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


ONLY_OPERATORS = [
    ("POST", "/v1/enrol"), ("GET", "/v1/subjects"), ("DELETE", "/v1/subjects/anna"),
    ("GET", "/v1/audit"), ("GET", "/metrics"),
]  # fmt: skip
ANYBODY = [
    ("POST", "/v1/verify"), ("POST", "/v1/identify"), ("GET", "/v1/status"), ("GET", "/v1/device"),
    ("GET", "/v1/events"), ("GET", "/v1/preview"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ONLY_OPERATORS + ANYBODY)
def test_who_may_ask(method, path, kiosk, client):
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
        assert client.request(method, path, headers=headers).status_code == 401
    if (method, path) in ONLY_OPERATORS:
        answer = client.request(method, path, headers=as_terminal(kiosk))
        assert answer.status_code == 403
        assert "operators" in answer.json()["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:8471", 200), ("[::1]:8471", 200), ("LOCALHOST:1", 200),
        ("kiosk.example", 421), ("127.0.0.1.example", 421), ("", 421), ("[::2]", 421),
    ],
)  # fmt: skip
def test_the_names_it_answers_to(host, status, client):
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


def test_status_metrics_and_audit_agree(kiosk, client):
    state = client.get("/v1/status", headers=as_terminal(kiosk)).json()
    assert (state["state"], state["camera"], state["waiting"]) == ("idle", "closed", 0)
    assert (state["enrolled"], state["demonstration"]) == (1, True)
    metrics = client.get("/metrics").text
    assert "edge_vessel_kiosk_enrolled 1\n" in metrics
    report = client.get("/v1/audit").json()
    assert report["faults"] == []
    matches = [
        one for one in report["lines"] if (one["event"], one["result"]) == ("verify", "match")
    ]
    assert f'{{operation="verify",status="match"}} {len(matches)}\n' in metrics
    assert "anna" not in json.dumps(report)
    denied = [one for one in report["lines"] if one["event"] == "denied"]
    assert len(denied) == 1
    sequences = [one["seq"] for one in report["lines"]]
    assert sequences == sorted(sequences)


def test_no_file_holds_a_picture(kiosk):
    kept = {path.name for path in Path(kiosk.store).iterdir()}
    assert kept == {
        "audit.jsonl", "device.key", "device.pub.pem", "templates.db", "templates.db-shm",
        "templates.db-wal", "tokens.json", "tokens.lock",
    }  # fmt: skip
