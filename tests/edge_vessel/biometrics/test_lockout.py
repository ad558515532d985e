"""How long the next attempt waits, whatever the clocks are set to."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from biometric_stores import new_store

from edge_vessel.biometrics import lockout as lockouts
from edge_vessel.biometrics.lockout import Attempt, BackOff, Locked, Lockout, Moment
from edge_vessel.biometrics.store import Store
from edge_vessel.errors import DeviceError, UsageError

START = Moment("boot-1", 1000.0, 1_700_000_000.0)
HOUR_S, DAY_S = 3600.0, 86400.0
SUBJECT = BackOff(free=3, first_s=30.0, max_s=100.0)
TOGETHER = BackOff(free=6, first_s=40.0)


def after(seconds: float, wall_set_by: float = 0.0) -> Moment:
    """Later in the same boot; the wall clock was set by so much besides."""
    return Moment("boot-1", START.boottime_s + seconds, START.wall_s + seconds + wall_set_by)


def booted(up_s: float, wall_after_s: float) -> Moment:
    """Another boot, `up_s` after its start, where the wall clock says so much since START."""
    return Moment("boot-2", up_s, START.wall_s + wall_after_s)


class Clock:
    """Shows what it is set to."""

    def __init__(self, moment: Moment = START) -> None:
        self.moment = moment

    def __call__(self) -> Moment:
        return self.moment


@pytest.fixture
def store(tmp_path: Path):
    with new_store(tmp_path / "s") as opened:
        yield opened


def locks(store: Store, clock: Clock) -> Lockout:
    return Lockout(store, SUBJECT, TOGETHER, clock)


@pytest.mark.parametrize(
    ("failures", "wait_s"),
    [(0, 0), (2, 0), (3, 30), (4, 60), (5, 100), (6, 100), (10**6, 100)],
)
def test_back_off(failures, wait_s):
    assert SUBJECT.wait_s(failures) == wait_s


@dataclass
class WaitCase:
    name: str
    moment: Moment
    wait_s: float


# Three failures at START: 30 s.
WAIT_CASES = [
    WaitCase("at once", START, 30.0),
    WaitCase("later", after(10), 20.0),
    WaitCase("over", after(30), 0.0),
    WaitCase("clock set back", after(10, -DAY_S), 20.0),
    WaitCase("clock set back, over", after(31, -DAY_S), 0.0),
    WaitCase("clock set forward", after(10, DAY_S), 20.0),
    WaitCase("clock set forward a year", after(0, 365 * DAY_S), 30.0),
    WaitCase("rebooted", booted(5, 12), 18.0),
    WaitCase("rebooted, over", booted(5, 40), 0.0),
    WaitCase("rebooted, clock set back", booted(5, -DAY_S), 25.0),
    WaitCase("rebooted, clock set back, over", booted(31, -DAY_S), 0.0),
    WaitCase("rebooted, clock that stood still", booted(5, 0), 25.0),
    WaitCase("rebooted at a later boot time", booted(1010, 12), 0.0),
]


@pytest.mark.parametrize("case", WAIT_CASES, ids=lambda case: case.name)
def test_waits_by_the_clocks(store, case):
    clock = Clock()
    for _ in range(3):
        assert isinstance(locks(store, clock).begin("anna"), Attempt)
    clock.moment = case.moment
    assert locks(store, clock).wait_s("anna") == pytest.approx(case.wait_s)
    answer = locks(store, clock).begin("anna")
    assert answer == Locked(pytest.approx(case.wait_s)) if case.wait_s else Attempt(4, "anna")
    assert locks(store, clock).wait_s("bert") == 0.0


def test_each_more_waits_twice_as_long_and_a_refused_one_does_not_count(store):
    clock = Clock()
    lockout = locks(store, clock)
    for _ in range(3):
        lockout.begin("anna")
    for _ in range(5):
        assert lockout.begin("anna") == Locked(30.0)
    clock.moment = after(30)
    lockout.begin("anna")
    assert lockout.begin("anna") == Locked(60.0)


def test_a_success_clears_the_subject_and_no_more(store):
    clock = Clock()
    lockout = locks(store, clock)
    for subject in ("anna", "anna", "bert", "bert"):
        lockout.begin(subject)
    success = lockout.begin("anna")
    lockout.succeeded(success)
    assert lockout.wait_s("anna") == 0.0
    lockout.begin("bert")
    assert lockout.wait_s("bert") == 30.0
    assert lockout.wait_s(None) == 0.0
    lockout.begin("anna")  # the sixth failure of all: those before the success still count
    assert lockout.wait_s("carl") == lockout.wait_s(None) == 40.0


def test_a_withdrawn_attempt_never_was(store):
    lockout = locks(store, Clock())
    for _ in range(10):
        lockout.withdrawn(lockout.begin("anna"))
    lockout.begin("anna")
    lockout.begin("anna")
    assert lockout.wait_s("anna") == 0.0


def test_strangers_and_identification_count_together(store):
    clock = Clock()
    lockout = locks(store, clock)
    for subject in ("a", None, "b", None, "c", None):
        assert isinstance(lockout.begin(subject), Attempt)
    assert lockout.begin("d") == lockout.begin(None) == Locked(40.0)


def test_what_is_a_day_old_is_forgotten_and_not_kept(store):
    clock = Clock()
    lockout = locks(store, clock)
    for _ in range(3):
        lockout.begin("anna")
    clock.moment = after(DAY_S, -2 * DAY_S)
    lockout.begin("anna")
    assert lockout.wait_s("anna") == 0.0
    with store.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (1,)


def test_deleting_a_subject_leaves_no_attempt_under_its_name(store):
    lockout = locks(store, Clock())
    store.enrol("anna", b"x", 1)
    for _ in range(3):
        lockout.begin("anna")
    store.delete("anna")
    assert lockout.wait_s("anna") == 0.0
    assert b"anna" not in store.database.path.read_bytes()


def test_an_attempt_is_of_the_transaction_around_it(store):
    lockout = locks(store, Clock())
    with pytest.raises(RuntimeError), store.transaction():
        lockout.begin("anna")
        raise RuntimeError
    with store.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (0,)
    with pytest.raises(UsageError, match="no subject id"):
        lockout.begin("An na")


def test_this_machine_s_clocks(monkeypatch, tmp_path):
    first, second = lockouts.now(), lockouts.now()
    assert first.boot_id == second.boot_id
    assert 0.0 <= second.since(first) < 60.0
    assert second.since(replace(first, boot_id="other")) >= second.boottime_s
    monkeypatch.setattr(lockouts, "_BOOT_ID", tmp_path / "missing")
    with pytest.raises(DeviceError, match="cannot be read: No such file"):
        lockouts.now()
