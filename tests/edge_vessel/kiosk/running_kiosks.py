"""Kiosks as real processes: a folder of photographs is what stands before the camera."""

import contextlib
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

from edge_vessel.biometrics import keys
from edge_vessel.biometrics.lockout import Attempt, Lockout
from edge_vessel.biometrics.store import Store
from edge_vessel.biometrics.virtual_camera import View, look
from edge_vessel.field_of_view import find_field_of_view
from edge_vessel.kiosk.tokens import Tokens
from edge_vessel.sources.images import read_image

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "samples"
ANNA, BORIS = "chase_db1_07L.jpg", "chase_db1_11R.jpg"
SLOW_S = 60.0  # what a machine that has other work to do may take
_numbers = itertools.count()


def nonce() -> str:
    """A new one."""
    return f"nonce-{os.getpid()}-{next(_numbers):016d}"


class Kiosk:
    """The files of a kiosk, and its process while there is one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store, self.key = folder / "store", folder / "kiosk.key"
        self.store.mkdir(mode=0o700)
        keys.generate(self.key)
        tokens = Tokens(self.store / "tokens.json")
        self.operator = tokens.add("desk", "operator")
        self.terminal = tokens.add("door", "terminal")
        self.url = ""
        self.process: subprocess.Popen[str] | None = None

    def show(self, *photographs: Path) -> None:
        """Puts them before the camera; the next opening sees them. None: darkness."""
        fresh = self.folder / f"shown-{next(_numbers)}"
        fresh.mkdir()
        for path in photographs:
            (fresh / path.name).symlink_to(path)
        if not photographs:
            cv2.imwrite(str(fresh / "dark.png"), np.zeros((300, 400, 3), np.uint8))
        link = self.folder / "link"
        link.symlink_to(fresh)
        link.replace(self.folder / "eye")

    def unplug(self) -> None:
        """There is no camera, until `show`."""
        (self.folder / "eye").unlink()

    def fail(self, subject: str, times: int) -> None:
        """As many attempts to verify, begun, and the plug pulled."""
        with Store(self.store, keys.load(str(self.key))) as store:
            lockout = Lockout(store)
            assert all(isinstance(lockout.begin(subject), Attempt) for _ in range(times))

    @contextlib.contextmanager
    def serving(
        self, *flags: str, camera: str = "", demonstration: bool = True
    ) -> Iterator[httpx.Client]:
        """A client of the running service, an operator's; the process is stopped at the end."""
        camera = camera or f"play:{self.folder / 'eye'},side=480,fps=30,hold=1"
        command = [
            sys.executable, "-m", "edge_vessel.kiosk", "serve", "--camera", camera,
            "--model", "m2unet-fundus-544", "--threads", "1", "--store", str(self.store),
            "--key", str(self.key), "--enrol-pause", "0.1", "--bind", "127.0.0.1:0", *flags,
        ]  # fmt: skip
        if demonstration:
            command.append("--demonstration")
        if "--unix" in flags:
            del command[command.index("--bind") : command.index("--bind") + 2]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
        try:
            yield self._client()
        finally:
            self.process.terminate()
            self.process.communicate(timeout=SLOW_S)

    def _client(self) -> httpx.Client:
        assert self.process is not None
        assert self.process.stderr is not None
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            found = re.match(r"kiosk: (?:unix:(.+)|(http://\S+))", line)
            if found:
                break
        else:
            raise AssertionError(f"no service: {''.join(lines)}")
        transport = httpx.HTTPTransport(uds=found[1]) if found[1] else None
        self.url = found[2] or "http://localhost"
        headers = {"Authorization": f"Bearer {self.operator}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=SLOW_S, transport=transport)


def ask(client: httpx.Client, operation: str, subject: str | None = None, **more: Any) -> Any:
    """The document of an operation; `more` are further fields of the request."""
    body = {"nonce": nonce(), **more} | ({} if subject is None else {"subject": subject})
    answer = client.post(f"/v1/{operation}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def enrol(client: httpx.Client, subject: str, captures: int = 1) -> None:
    """Whoever stands before the camera."""
    assert ask(client, "enrol", subject, captures=captures)["status"] == "enrolled"


def another_capture(photograph: Path, folder: Path) -> Path:
    """The same eye as another camera sees it: turned, nearer, brighter."""
    image = read_image(photograph)
    fov = find_field_of_view(image)
    assert fov is not None
    seen = look(image, fov, View(0.05, -0.03, 0.8, 0.2, 1.1, 5.0))
    path = folder / f"again-{photograph.stem}.png"
    cv2.imwrite(str(path), seen[:, :, ::-1])
    return path
