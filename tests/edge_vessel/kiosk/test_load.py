"""A hundred clients at once before one camera."""

import collections
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import psutil
from running_kiosks import ANNA, SAMPLES, SLOW_S, Kiosk, ask, enrol, nonce

CLIENTS = 100
LINE = 3
MEMORY_BYTES = 96 * 1024 * 1024
RIGHT = {"anna": {"match"}, "boris": {"no_match", "locked"}, "carl": {"no_match", "locked"}}


@dataclass(frozen=True)
class Rush:
    """What came of requests that were all in flight at once; `grown_bytes` the service's memory."""

    codes: collections.Counter[int]
    statuses: collections.Counter[tuple[str, str]]
    grown_bytes: int


def rush(kiosk: Kiosk, client: httpx.Client, subjects: Sequence[str]) -> Rush:
    """One client for each of `subjects`: every answer is the one to its own request, and right."""
    process = psutil.Process(kiosk.process.pid)
    before = process.memory_info().rss

    def verify(subject: str) -> tuple[str, str, httpx.Response]:
        asked = nonce()
        body = {"subject": subject, "nonce": asked, "timeout_s": SLOW_S}
        return subject, asked, many.post("/v1/verify", json=body)

    limits = httpx.Limits(max_connections=len(subjects))
    many = httpx.Client(
        base_url=kiosk.url, headers=client.headers, limits=limits, timeout=10 * SLOW_S
    )
    with many, ThreadPoolExecutor(len(subjects)) as pool:
        answers = list(pool.map(verify, subjects))
    statuses: collections.Counter[tuple[str, str]] = collections.Counter()
    sequences = set()
    for subject, asked, answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) >= 1
            continue
        assert answer.status_code == 200, answer.text
        result = answer.json()
        assert (result["subject"], result["nonce"]) == (subject, asked)
        assert result["status"] in RIGHT[subject]
        statuses[subject, result["status"]] += 1
        sequences.add(result["sequence"])
    assert len(sequences) == statuses.total()
    status = client.get("/v1/status").json()
    assert (status["state"], status["camera"], status["waiting"]) == ("idle", "closed", 0)
    codes = collections.Counter(answer.status_code for *_, answer in answers)
    return Rush(codes, statuses, process.memory_info().rss - before)


def warmed(client: httpx.Client) -> None:
    """The engine's buffers are there."""
    enrol(client, "anna")
    for _ in range(2):
        ask(client, "verify", "anna")


def test_none_is_lost_none_is_wrong_and_memory_is_bounded(tmp_path):
    kiosk = Kiosk(tmp_path)
    kiosk.show(SAMPLES / ANNA)
    with kiosk.serving("--queue", str(LINE)) as client:
        warmed(client)
        done = rush(kiosk, client, ["anna", "boris"] * (CLIENTS // 2))
        assert done.codes[200] >= LINE + 1
        assert done.codes[200] + done.codes[429] == CLIENTS
        assert f"turned_away_total {done.codes[429]}\n" in client.get("/metrics").text
        assert done.grown_bytes < MEMORY_BYTES
        assert ask(client, "verify", "anna")["status"] == "match"


def test_a_line_of_a_hundred_is_served_to_its_end(tmp_path):
    """Most are Carl, who is locked out: his answers take no capture."""
    kiosk = Kiosk(tmp_path)
    kiosk.show(SAMPLES / ANNA)
    with kiosk.serving("--queue", str(CLIENTS)) as client:
        warmed(client)
        kiosk.fail("carl", times=5)
        done = rush(kiosk, client, (["anna"] + ["carl"] * 9) * (CLIENTS // 10))
        assert done.codes == {200: CLIENTS}
        assert done.statuses["anna", "match"] == CLIENTS // 10
        assert done.grown_bytes < MEMORY_BYTES
