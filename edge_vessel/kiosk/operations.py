"""Enrol, verify, identify: lockout, captures, comparison, audit, each in its order."""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.lockout import Attempt, Locked, Lockout
from edge_vessel.biometrics.quality import Hint
from edge_vessel.biometrics.receipt import utc_now
from edge_vessel.biometrics.store import Store
from edge_vessel.biometrics.template import Template
from edge_vessel.errors import EdgeVesselError, UsageError
from edge_vessel.kiosk.device_key import DeviceKey
from edge_vessel.kiosk.events import (
    CaptureStarted,
    CaptureTaken,
    Event,
    LockedOut,
    RemoveAndReturn,
    ResultGiven,
)
from edge_vessel.kiosk.recognition import Recognition
from edge_vessel.kiosk.results import Operation, Result, Status
from edge_vessel.kiosk.session import Captured, Missed, Photographer

_LOG = logging.getLogger(__name__)
_MAX_WORD = 32  # of an audit line's result


@dataclass(frozen=True)
class Asked:
    """A request. `subject` None: to identify; `captures` counts those of an enrolment."""

    operation: Operation
    subject: str | None
    nonce: str
    timeout_s: float
    captures: int = 1

    @property
    def request(self) -> str:
        """What the request is called in events, which its nonce does not stand in."""
        return hashlib.sha256(self.nonce.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class _Outcome:
    """What came of it, before it is written down and signed."""

    status: Status
    hint: Hint | None = None
    subject: str | None = None
    retry_after_s: int | None = None
    suspicion: str | None = None


class Operations:
    """Runs one operation at a time, in one thread."""

    def __init__(
        self,
        store: Store,
        recognition: Recognition,
        photographer: Photographer,
        key: DeviceKey,
        tell: Callable[[Event], None],
        pause_s: float,
    ) -> None:
        """`pause_s`: for the person to leave and return between two captures of an enrolment."""
        self._store = store
        self._audit = Audit(store)
        self._lockout = Lockout(store)
        self._recognition = recognition
        self._photographer = photographer
        self._key = key
        self._tell = tell
        self._pause_s = pause_s
        self._sessions = 0

    def run(self, asked: Asked, cancelled: threading.Event) -> Result:
        """The signed result; each outcome of a capture is one, faults of the engine too.

        Raises:
            DeviceError: the store or the audit file fails: then nothing is told of a comparison.
        """
        attempt = None if asked.operation == "enrol" else self._lockout.begin(asked.subject)
        if isinstance(attempt, Locked):
            self._tell(LockedOut(round(attempt.wait_s, 1)))
            wait_s = math.ceil(attempt.wait_s)
            return self._ended(asked, _Outcome("locked", retry_after_s=wait_s))
        self._sessions += 1
        self._tell(CaptureStarted(asked.operation, self._sessions, asked.request))
        until_s = time.monotonic() + asked.timeout_s
        if attempt is None:
            return self._enrol(asked, until_s, cancelled)
        return self._compare(asked, attempt, until_s, cancelled)

    def _compare(
        self, asked: Asked, attempt: Attempt, until_s: float, cancelled: threading.Event
    ) -> Result:
        """The attempt counts as failed until a match, or until nothing was compared."""
        taken = self._take(until_s, cancelled)
        if isinstance(taken, _Outcome):
            with self._store.transaction():
                self._lockout.withdrawn(attempt)
                return self._ended(asked, taken)
        captured, probe = taken
        self._tell(CaptureTaken(1, 1))
        # Compared whatever is suspected: the time does not tell.
        found = self._found(asked.subject, probe)
        with self._store.transaction():
            if found is None or captured.suspicion is not None:
                return self._ended(asked, _Outcome("no_match", suspicion=captured.suspicion))
            self._lockout.succeeded(attempt)
            return self._ended(asked, _Outcome("match", subject=found))

    def _found(self, subject: str | None, probe: Template) -> str | None:
        if subject is None:
            return self._recognition.identify(probe)
        return subject if self._recognition.matches(subject, probe) else None

    def _enrol(self, asked: Asked, until_s: float, cancelled: threading.Event) -> Result:
        subject = asked.subject or ""
        templates = []
        for number in range(1, asked.captures + 1):
            if number > 1:
                self._tell(RemoveAndReturn())
                cancelled.wait(min(self._pause_s, max(0.0, until_s - time.monotonic())))
            taken = self._take(until_s, cancelled)
            if isinstance(taken, _Outcome):
                return self._ended(asked, taken)
            captured, template = taken
            if captured.suspicion is not None:
                return self._ended(asked, _Outcome("retry", "retry", suspicion=captured.suspicion))
            templates.append(template)
            self._tell(CaptureTaken(number, asked.captures))
        with self._store.transaction():
            try:
                done = self._recognition.enrol(subject, templates)
            except UsageError:  # somebody was faster
                return self._ended(asked, _Outcome("error"))
            return self._ended(asked, _Outcome("enrolled") if done else _Outcome("retry", "retry"))

    def _take(
        self, until_s: float, cancelled: threading.Event
    ) -> tuple[Captured, Template] | _Outcome:
        """A capture and its template, or why there is none."""
        try:
            taken = self._photographer.capture(until_s, cancelled)
            if isinstance(taken, Missed):
                if taken.reason:
                    _LOG.warning("camera: %s", taken.reason)
                return _Outcome(taken.status, taken.hint)
            template = self._recognition.template(taken.look)
        except EdgeVesselError as error:
            _LOG.error("capture: %s", error)
            return _Outcome("error")
        return _Outcome("retry", "retry") if template is None else (taken, template)

    def _ended(self, asked: Asked, outcome: _Outcome) -> Result:
        """Writes the audit line first: what it does not tell of is not told to anybody."""
        subject = outcome.subject or asked.subject
        line = self._audit.append(asked.operation, _word(outcome), subject)
        _LOG.info("%s: %s", asked.operation, outcome.status)
        result = Result(
            asked.operation, outcome.status, outcome.hint, subject, asked.nonce,
            self._key.device, utc_now(), line.seq, outcome.retry_after_s,
        ).signed(self._key.private)  # fmt: skip
        told = outcome.status, outcome.hint, asked.operation, subject, outcome.suspicion
        self._tell(ResultGiven(*told))
        return result


def _word(outcome: _Outcome) -> str:
    """A word for the audit line: the status, and the suspicion or the hint."""
    rest = f"suspected_{outcome.suspicion}" if outcome.suspicion else outcome.hint
    return "_".join(filter(None, (outcome.status, rest)))[:_MAX_WORD]
