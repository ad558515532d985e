"""The kiosk as the API sees it: a line before the camera, and one thread that works."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from edge_vessel import __version__
from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.lockout import Lockout
from edge_vessel.biometrics.receipt import Receipt
from edge_vessel.biometrics.store import Store
from edge_vessel.kiosk.camera import KioskCamera
from edge_vessel.kiosk.device_key import DeviceKey
from edge_vessel.kiosk.events import CameraChanged, Events
from edge_vessel.kiosk.metrics import Counters
from edge_vessel.kiosk.nonces import Nonces
from edge_vessel.kiosk.operations import Asked, Operations
from edge_vessel.kiosk.presentation import PresentationCheck
from edge_vessel.kiosk.preview import Preview
from edge_vessel.kiosk.rate_limit import Allowance, RateLimit
from edge_vessel.kiosk.recognition import Recognition
from edge_vessel.kiosk.results import Result
from edge_vessel.kiosk.session import Photographer
from edge_vessel.kiosk.tokens import Token, Tokens
from edge_vessel.kiosk.turnstile import Turnstile
from edge_vessel.kiosk.worker import Worker
from edge_vessel.sinks.base import CameraState

_DENIED_EVERY_S = 60.0
# Of a terminal's requests that end without a comparison: each is an audit line all the same.
_FRUITLESS, _FRUITLESS_EVERY_S = 30, 6.0
_COMPARED = frozenset({"match", "no_match"})
_GRACE_S = 60.0  # beyond a capture's own time: camera, comparison, disk


class TooOftenError(Exception):
    """A terminal's requests came to nothing too often; the next may come in `wait_s` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class ReplayError(Exception):
    """The nonce was used before."""


class EnrolledError(Exception):
    """The subject is enrolled already."""


@dataclass(frozen=True)
class Settings:
    """What the command line says of a kiosk.

    most_waiting: requests in the line; one more is turned away.
    pause_s: between two captures of an enrolment.
    demonstration: the camera is none, and the answers say so.
    metrics_open: /metrics needs no token.
    """

    most_waiting: int = 8
    pause_s: float = 1.5
    demonstration: bool = False
    metrics_open: bool = False


@dataclass(frozen=True)
class State:
    """What /v1/status says. `wait_s`: until anybody is let try again; 0 where there is no lock."""

    state: Literal["idle", "capturing", "locked"]
    camera: CameraState | Literal["closed"]
    waiting: int
    enrolled: int
    wait_s: float
    demonstration: bool
    version: str


class Kiosk:
    """Everything that requests share. Its coroutines run on one event loop."""

    def __init__(
        self,
        store: Store,
        recognition: Recognition,
        camera: KioskCamera,
        key: DeviceKey,
        tokens: Tokens,
        settings: Settings,
        make_check: Callable[[], PresentationCheck],
    ) -> None:
        self.settings = settings
        self.recognition = recognition
        self.key = key
        self.tokens = tokens
        self.events = Events()
        self.preview = Preview()
        self.counters = Counters()
        self.audit = Audit(store)
        self.worker = Worker()
        self._store = store
        self._lockout = Lockout(store)
        self._camera = camera
        self._turnstile = Turnstile(settings.most_waiting)
        self._nonces = Nonces()
        self._fruitless = Allowance(_FRUITLESS, _FRUITLESS_EVERY_S)
        self._denied = RateLimit(_DENIED_EVERY_S)
        photographer = Photographer(camera, recognition, self.preview, make_check, self.events.tell)
        self._operations = Operations(
            store, recognition, photographer, key, self.events.tell, settings.pause_s
        )

    async def ask(self, asked: Asked, holder: Token) -> Result:
        """Waits in the line and runs the operation. Cancelled, it leaves the line, or ends the
        capture before it returns.

        Raises:
            LineFullError, TooOftenError: at once, and the nonce may be used again.
            ReplayError, EnrolledError: at once.
            DeviceError: the store fails.
        """
        if asked.operation == "enrol" and asked.subject is not None:
            loop = asyncio.get_running_loop()
            if await loop.run_in_executor(None, self.recognition.knows, asked.subject):
                raise EnrolledError
        if not self._turnstile.full:
            self._admit(asked, holder)
        try:
            async with self._turnstile.turn():
                try:
                    started_s = time.monotonic()
                    result = await self._in_worker(asked)
                    self.counters.count(result, time.monotonic() - started_s)
                    if holder.role == "terminal" and result.status in _COMPARED:
                        self._fruitless.give_back(holder.name)
                    return result
                finally:
                    if not self._turnstile.waiting:
                        await self._close_camera()
        except asyncio.CancelledError:
            # The one before left the camera open for this one, who left in that moment.
            if not self._turnstile.busy:
                await self._close_camera()
            raise

    def _admit(self, asked: Asked, holder: Token) -> None:
        wait_s = self._fruitless.take(holder.name) if holder.role == "terminal" else 0.0
        if wait_s > 0:
            raise TooOftenError(wait_s)
        if not self._nonces.use(asked.nonce):
            raise ReplayError

    async def _in_worker(self, asked: Asked) -> Result:
        gone = threading.Event()
        most_s = asked.timeout_s + _GRACE_S
        run = partial(self._operations.run, asked, gone)
        work = asyncio.wrap_future(self.worker.submit(most_s, run))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            gone.set()
            await asyncio.wait([work])
            raise

    async def _close_camera(self) -> None:
        if self._camera.state is None:
            return
        closing = self.worker.submit(_GRACE_S, self._camera.close)
        await asyncio.shield(asyncio.wrap_future(closing))
        self.events.tell(CameraChanged("closed"))

    def state(self) -> State:
        """Blocks on the store for a moment.

        Raises:
            DeviceError: the store fails.
        """
        wait_s = self._lockout.wait_s(None)
        enrolled = len({one.subject for one in self.recognition.enrolled()})
        busy = self._turnstile.busy
        state: Literal["idle", "capturing", "locked"] = (
            "capturing" if busy else "locked" if wait_s > 0 else "idle"
        )
        return State(
            state, self._camera.state or "closed", self._turnstile.waiting, enrolled,
            round(wait_s, 1), self.settings.demonstration, __version__,
        )  # fmt: skip

    def delete(self, subject: str) -> Receipt:
        """Blocks.

        Raises:
            UsageError: the subject is not enrolled.
            DeviceError: as `Store.delete`.
        """
        with self._store.transaction():
            receipt = self._store.delete(subject)
            self.audit.append("delete", "ok", subject)
        return receipt

    def denied(self) -> None:
        """Somebody came with a wrong token: one audit line a minute at most. Blocks."""
        self.counters.denied += 1
        if self._denied.allows():
            self.audit.append("denied", "token")
