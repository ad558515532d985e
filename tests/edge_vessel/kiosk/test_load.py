"""A hundred clients at once before one camera."""

import collections
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
from running_kiosks import ANNA, SAMPLES, Kiosk, ask, enrol, nonce

CLIENTS = 100
LINE = 3
MEMORY_BYTES = 96 * 1024 * 1024


def test_none_is_lost_none_is_wrong_and_memory_is_bounded(tmp_path):
    kiosk = Kiosk(tmp_path)
    kiosk.show(SAMPLES / ANNA)
    with kiosk.serving("--queue", str(LINE)) as client:
        enrol(client, "anna")
        for _ in range(2):
            ask(client, "verify", "anna")  # the engine's buffers are there
        process = psutil.Process(kiosk.process.pid)
        before = process.memory_info().rss

        def verify(number: int) -> tuple[str, str, httpx.Response]:
            subject, asked = ("anna", "boris")[number % 2], nonce()
            body = {"subject": subject, "nonce": asked, "timeout_s": 60}
            return subject, asked, many.post("/v1/verify", json=body)

        limits = httpx.Limits(max_connections=CLIENTS)
        many = httpx.Client(base_url=kiosk.url, headers=client.headers, limits=limits, timeout=120)
        with many, ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(verify, range(CLIENTS)))
        for subject, asked, answer in answers:
            if answer.status_code == 429:
                assert int(answer.headers["Retry-After"]) >= 1
                continue
            result = answer.json()
            assert answer.status_code == 200, answer.text
            assert (result["subject"], result["nonce"]) == (subject, asked)
            assert result["status"] in (("match",) if subject == "anna" else ("no_match", "locked"))
        codes = collections.Counter(answer.status_code for *_, answer in answers)
        assert codes[200] >= LINE + 1
        assert codes[200] + codes[429] == CLIENTS
        assert f"turned_away_total {codes[429]}\n" in client.get("/metrics").text
        sequences = [answer.json()["sequence"] for *_, answer in answers if answer.is_success]
        assert len(set(sequences)) == codes[200]
        assert process.memory_info().rss - before < MEMORY_BYTES
        status = client.get("/v1/status").json()
        assert (status["state"], status["camera"], status["waiting"]) == ("idle", "closed", 0)
        assert ask(client, "verify", "anna")["status"] == "match"
