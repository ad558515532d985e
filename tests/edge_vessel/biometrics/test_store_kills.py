"""A real process, killed at random points of whatever it writes: nothing acknowledged is lost."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from biometric_stores import KEY, OTHER_KEY, contents, filled, new_store

from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.audit_verify import verify
from edge_vessel.biometrics.lockout import Attempt, BackOff, Locked, Lockout
from edge_vessel.biometrics.store import Store
from edge_vessel.errors import UsageError

KILLS = 200
NEVER = BackOff(free=10**9, first_s=1.0)
ONE = BackOff(free=1, first_s=60.0)


def killed_after(delay_s: float, work: Callable[[int], None], *, at_work: bool) -> list[str]:
    """Forks a process that does `work` with a pipe to acknowledge on, kills it, and returns the
    lines it wrote. `at_work`: the delay begins with its first line, not with its birth."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            work(writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        first = pipe.readline() if at_work else b""
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        return (first + pipe.read()).decode().splitlines()


def kiosk(folder: Path, seed: int) -> Callable[[int], None]:
    """Creates the store where it is missing, then enrols, attempts, audits and deletes."""

    def work(pipe: int) -> None:
        dice = random.Random(seed)
        store = new_store(folder)
        audit, lockout = Audit(store), Lockout(store, NEVER, NEVER)
        for number in range(10**6):
            subject = f"s{seed}-{number}"
            store.enrol(subject, subject.encode() * dice.randrange(1, 400), 1)
            os.write(pipe, f"+{subject}\n".encode())
            audit.append("enrol", "ok", subject)
            os.write(pipe, b"line\n")
            lockout.begin(subject)
            os.write(pipe, f"attempt {subject}\n".encode())
            if dice.random() < 0.3:
                with store.transaction():
                    os.write(pipe, f"-{subject}?\n".encode())
                    audit.append("delete", "ok", subject)
                    store.delete(subject)
                os.write(pipe, f"-{subject}\nline\n".encode())

    return work


def test_nothing_acknowledged_is_lost(tmp_path):
    dice = random.Random(7)
    acknowledged = 0
    audited: Counter[Path] = Counter()
    found: dict[str, list[bytes]] = {}
    for kill in range(KILLS):
        folder = tmp_path / f"s{kill // 8}"  # a new one now and then: creation is killed as well
        before = set() if kill % 8 == 0 else found.keys()
        work = kiosk(folder, kill)
        lines = killed_after(dice.uniform(0.0, 0.03), work, at_work=kill % 4 != 0)
        enrolled = {line[1:] for line in lines if line.startswith("+")}
        gone = {line[1:] for line in lines if line.startswith("-") and not line.endswith("?")}
        in_doubt = {line[1:-1] for line in lines if line.endswith("?")} - gone
        acknowledged += len(enrolled)
        with new_store(folder) as store:
            found = contents(store)
            assert (before | enrolled) - gone - in_doubt <= found.keys()
            assert not gone & found.keys()
            for subject, (content,) in found.items():
                assert content[: len(subject)] == subject.encode()
            audit = Audit(store)
            head, content = audit.snapshot()
            verification = verify(content, head, audit.key)
            assert verification.faults == ()
            audited[folder] += lines.count("line")
            assert verification.lines >= audited[folder]
            begun = {line[8:] for line in lines if line.startswith("attempt ")}
            assert begun - gone - in_doubt <= attempts_of(store)
    assert acknowledged >= KILLS // 2


def attempts_of(store: Store) -> set[str]:
    with store.transaction() as connection:
        return {row[0] for row in connection.execute("SELECT subject FROM attempts")}


def test_a_rotation_has_happened_or_not(tmp_path):
    folder = tmp_path / "s"
    names = [f"s{number}" for number in range(30)]
    filled(folder, **{name: name.encode() * 100 for name in names}).close()
    dice, key, other = random.Random(3), KEY, OTHER_KEY

    def work(pipe: int) -> None:
        store, keys = Store(folder, key), [other, key]
        for number in range(10**6):
            os.write(pipe, b"?\n")
            store.rotate(keys[number % 2])

    for _ in range(25):
        killed_after(dice.uniform(0.0, 0.05), work, at_work=True)
        opened = []
        for candidate in (KEY, OTHER_KEY):
            try:
                with Store(folder, candidate) as store:
                    assert contents(store) == {name: [name.encode() * 100] for name in names}
                opened.append(candidate)
            except UsageError as error:
                assert "the key is not this store's" in str(error)
        assert len(opened) == 1
        key, other = opened[0], KEY if opened[0] is OTHER_KEY else OTHER_KEY


def test_an_attempt_whose_result_never_came_counts_as_failed(tmp_path):
    folder = tmp_path / "s"
    new_store(folder).close()

    def work(pipe: int) -> None:
        lockout = Lockout(Store(folder, KEY), ONE, NEVER)
        assert isinstance(lockout.begin("anna"), Attempt)
        os.write(pipe, b"compared\n")
        time.sleep(60)

    assert killed_after(0.0, work, at_work=True) == ["compared"]
    with Store(folder, KEY) as store:
        assert isinstance(Lockout(store, ONE, NEVER).begin("anna"), Locked)
