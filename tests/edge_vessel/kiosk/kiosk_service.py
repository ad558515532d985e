"""A kiosk as a process of its own, before a camera that plays a photograph."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from artifact_folders import ROOT

from edge_vessel.biometrics import keys
from edge_vessel.biometrics.lockout import Attempt, Lockout
from edge_vessel.biometrics.store import Store
from edge_vessel.kiosk import tokens

ANNA, BOB = ROOT / "samples" / "chase_db1_07L.jpg", ROOT / "samples" / "chase_db1_11R.jpg"
_READY = "kiosk: http://"


class KioskService:
    """Serves on a free port until `close`."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.log = folder / "log"
        self._key = folder / "store.key"
        self._eye = folder / "camera" / "eye.jpg"
        self._eye.parent.mkdir()
        self.store.mkdir(mode=0o700)
        keys.generate(self._key)
        kept = tokens.Tokens(self.store / tokens.NAME)
        self.operator = kept.add("desk", "operator")
        self.terminal = kept.add("door", "terminal")
        self.address = ""
        self.start()

    def start(self, address: str = "127.0.0.1:0") -> None:
        """Returns once it listens."""
        command = [
            sys.executable, "-m", "edge_vessel.kiosk", "serve", "--demonstration",
            "--camera", f"play:{self._eye.parent},side=640", "--enrol-pause", "0.2",
            "--store", str(self.store), "--key", str(self._key), "--bind", address,
        ]  # fmt: skip
        with self.log.open("w") as log:
            self._process = subprocess.Popen(command, stderr=log, cwd=ROOT)
        with self.log.open() as lines:
            while _READY not in (line := lines.readline()):
                assert line or self._process.poll() is None, self.log.read_text()
        self.address = line.strip().partition(_READY)[2]

    def before(self, photograph: Path | None) -> None:
        """Who sits before the camera from the next capture on; nobody is a camera unplugged."""
        self._eye.unlink(missing_ok=True)
        if photograph is not None:
            shutil.copyfile(photograph, self._eye)

    def fail(self, subject: str, times: int) -> None:
        """As many attempts to verify as have failed before."""
        with Store(self.store, keys.load(str(self._key))) as store:
            lockout = Lockout(store)
            assert all(isinstance(lockout.begin(subject), Attempt) for _ in range(times))

    def close(self) -> None:
        """In order."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(20) == 0, self.log.read_text()

    def environment(self, **more: str) -> dict[str, str]:
        """Of a client that is a terminal."""
        known = {"KIOSK": self.address, "KIOSK_TOKEN": self.terminal}
        known["KIOSK_KEY"] = str(self.store / "device.pub.pem")
        return {**os.environ, **known, **more}
