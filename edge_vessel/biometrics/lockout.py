"""Failed attempts, per subject and together, and how long the next one has to wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from edge_vessel.biometrics.enrolment_record import check_subject
from edge_vessel.biometrics.store import Store
from edge_vessel.errors import DeviceError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MAX_DOUBLINGS = 30


@dataclass(frozen=True)
class Moment:
    """`boottime_s` counts from the kernel's start, also while the machine sleeps; nobody can set
    it. `wall_s` is seconds since 1970, as the machine believes."""

    boot_id: str
    boottime_s: float
    wall_s: float

    def since(self, then: "Moment") -> float:
        """Seconds that have passed since `then`, at least 0.

        Within one boot the wall clock is not asked. Across boots, what it says counts where it is
        more than this boot's own time: a clock set back, or a board without a battery, adds
        waiting and never takes any off.
        """
        if self.boot_id == then.boot_id:
            return max(0.0, self.boottime_s - then.boottime_s)
        return max(0.0, self.boottime_s, self.wall_s - then.wall_s)


def now() -> Moment:
    """By this machine's clocks.

    Raises:
        DeviceError: the kernel does not tell which boot this is.
    """
    try:
        boot_id = _BOOT_ID.read_text().strip()
    except OSError as error:
        raise DeviceError(f"{_BOOT_ID}: cannot be read: {error.strerror}; mount /proc") from error
    return Moment(boot_id, time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


@dataclass(frozen=True)
class BackOff:
    """After `free` failures the next attempt waits `first_s`, and twice as long after each more.

    A failure is forgotten `forget_s` later.
    """

    free: int
    first_s: float
    max_s: float = 3600.0
    forget_s: float = 24 * 3600.0

    def wait_s(self, failures: int) -> float:
        """After that many failures."""
        if failures < self.free:
            return 0.0
        return float(min(self.max_s, self.first_s * 2 ** min(failures - self.free, _MAX_DOUBLINGS)))


PER_SUBJECT = BackOff(free=5, first_s=30.0)
TOGETHER = BackOff(free=20, first_s=30.0)


@dataclass(frozen=True)
class Attempt:
    """A permitted attempt, counted as failed until it is said to have succeeded."""

    number: int
    subject: str | None


@dataclass(frozen=True)
class Locked:
    """No attempt now."""

    wait_s: float


class Lockout:
    """In the store's database: an attempt lasts as an enrolment does.

    An attempt counts as failed from its beginning on. Who pulls the plug between the comparison and
    its result gains nothing, and two attempts at once are two.
    """

    def __init__(
        self,
        store: Store,
        per_subject: BackOff = PER_SUBJECT,
        together: BackOff = TOGETHER,
        clock: Callable[[], Moment] = now,
    ) -> None:
        self._store = store
        self._per_subject = per_subject
        self._together = together
        self._clock = clock

    def begin(self, subject: str | None) -> Attempt | Locked:
        """Asks for an attempt to verify `subject`, or to identify (None). A failed one needs no
        further call.

        Raises:
            UsageError: no subject id.
            DeviceError: as `Store.transaction`; there is no attempt then.
        """
        with self._store.transaction() as connection:
            moment = self._clock()
            wait_s = self._wait_s(connection, subject, moment)
            if wait_s > 0.0:
                return Locked(wait_s)
            self._forget(connection, moment)
            number = connection.execute(
                "INSERT INTO attempts (subject, boot_id, boottime_s, wall_s) VALUES (?, ?, ?, ?)"
                " RETURNING id",
                (subject, moment.boot_id, moment.boottime_s, moment.wall_s),
            ).fetchone()[0]
        return Attempt(number, subject)

    def succeeded(self, attempt: Attempt) -> None:
        """The subject's failures no longer count for the subject; those of all still do."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM attempts WHERE id = ?", (attempt.number,))
            connection.execute(
                "UPDATE attempts SET subject = NULL WHERE subject = ?", (attempt.subject,)
            )

    def withdrawn(self, attempt: Attempt) -> None:
        """Nothing was compared: the capture was not good enough, or the camera was lost."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM attempts WHERE id = ?", (attempt.number,))

    def wait_s(self, subject: str | None) -> float:
        """How long `begin` would refuse; 0 where it would not."""
        with self._store.transaction("DEFERRED") as connection:
            return self._wait_s(connection, subject, self._clock())

    def _wait_s(self, connection: Connection, subject: str | None, moment: Moment) -> float:
        ages_s = _ages_s(connection, None, moment)
        wait_s = _left_s(self._together, ages_s)
        if subject is not None:
            ages_s = _ages_s(connection, check_subject(subject), moment)
            wait_s = max(wait_s, _left_s(self._per_subject, ages_s))
        return wait_s

    def _forget(self, connection: Connection, moment: Moment) -> None:
        """Keeps the table small."""
        kept_s = max(self._per_subject.forget_s, self._together.forget_s)
        for number, *then in connection.execute(
            "SELECT id, boot_id, boottime_s, wall_s FROM attempts"
        ).fetchall():
            if moment.since(Moment(*then)) >= kept_s:
                connection.execute("DELETE FROM attempts WHERE id = ?", (number,))


def _ages_s(connection: Connection, subject: str | None, moment: Moment) -> list[float]:
    """Of the subject's failures, or of all; the newest last."""
    rows = connection.execute(
        "SELECT boot_id, boottime_s, wall_s FROM attempts WHERE ?1 IS NULL OR subject = ?1"
        " ORDER BY id",
        (subject,),
    )
    return [moment.since(Moment(*row)) for row in rows]


def _left_s(back_off: BackOff, ages_s: list[float]) -> float:
    counted = sum(age_s < back_off.forget_s for age_s in ages_s)
    return max(0.0, back_off.wait_s(counted) - ages_s[-1]) if counted else 0.0
