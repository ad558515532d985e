"""Runs the service until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from edge_vessel import service_manager
from edge_vessel.kiosk.address import Address
from edge_vessel.kiosk.connection import Connection
from edge_vessel.kiosk.kiosk import Kiosk
from edge_vessel.service_manager import ServiceManager

_MAX_CONNECTIONS = 256
_STOPPING_S = 5


def serve(app: FastAPI, kiosk: Kiosk, listener: socket.socket, address: Address) -> None:
    """Until SIGINT or SIGTERM; captures that run are cancelled then."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,  # subjects stand in paths
        lifespan="on",
        http=Connection,
        ws="none",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_STOPPING_S,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn raises it once more when it has ended
    with contextlib.closing(listener):
        _Server(config, kiosk, address.url).run(sockets=[listener])
    if address.path is not None:
        address.path.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """Tells the service manager of its life, and the listeners of its end."""

    def __init__(self, config: uvicorn.Config, kiosk: Kiosk, url: str) -> None:
        super().__init__(config)
        self._kiosk = kiosk
        self._url = url
        self._manager = service_manager.of_this_process()
        self._beating: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stderr.write(f"kiosk: {self._url}\n")
        if self._manager is not None:
            self._manager.tell(READY="1", STATUS=f"listens on {self._url}")
            self._beating = asyncio.create_task(self._beat(self._manager))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._kiosk.events.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._manager is not None:
            self._manager.tell(STOPPING="1")
        await super().shutdown(sockets)

    async def _beat(self, manager: ServiceManager) -> None:
        """For as long as this loop runs and captures come to an end."""
        while manager.watchdog_s is not None and not self._kiosk.worker.stuck:
            manager.tell(WATCHDOG="1")
            await asyncio.sleep(manager.watchdog_s / 4)
