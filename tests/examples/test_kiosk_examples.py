"""The kiosk's clients in examples/kiosk, before a kiosk that runs."""

import ctypes.util
import os
import queue
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from needs import unavailable
from paho.mqtt.enums import CallbackAPIVersion
from running_kiosks import ANNA, ROOT, SAMPLES, SLOW_S, Kiosk, enrol

from edge_vessel import signing

EXAMPLES = ROOT / "examples" / "kiosk"
LONG_S = 2 * SLOW_S  # a client starts, and asks for a capture
PYTHON, SHELL = (sys.executable, str(EXAMPLES / "verify.py")), ("sh", str(EXAMPLES / "verify.sh"))
# As a program that uses PAM does: the exit code is that of pam_authenticate.
AUTHENTICATE = """
import ctypes, os, sys
pam, handle, conversation = ctypes.CDLL("libpam.so.0"), ctypes.c_void_p(), (ctypes.c_void_p * 2)()
folder, user = (os.fsencode(word) for word in sys.argv[1:])
assert pam.pam_start_confdir(b"door", user, conversation, folder, ctypes.byref(handle)) == 0
sys.exit(pam.pam_authenticate(handle, 0))
"""


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    """Anna is enrolled and sits before it; too many have said that they were Carl."""
    kiosk = Kiosk(tmp_path_factory.mktemp("kiosk"))
    kiosk.show(SAMPLES / ANNA)
    with kiosk.serving() as client:
        enrol(client, "anna")
        kiosk.fail("carl", times=5)
        yield kiosk


def environment(kiosk: Kiosk) -> dict[str, str]:
    """Of a client that is a terminal."""
    address, key = kiosk.url.removeprefix("http://"), kiosk.store / "device.pub.pem"
    known = {"KIOSK": address, "KIOSK_TOKEN": kiosk.terminal, "KIOSK_KEY": str(key)}
    return os.environ | known


def ran(command: tuple[str, ...], kiosk: Kiosk, **more: str) -> subprocess.CompletedProcess[str]:
    asked = environment(kiosk) | more
    return subprocess.run(
        command, env=asked, cwd=ROOT, capture_output=True, text=True, timeout=LONG_S, check=False
    )


@pytest.mark.parametrize("client", [PYTHON, SHELL], ids=["python", "curl"])
def test_a_client_knows_whom_the_kiosk_has_seen(
    client: tuple[str, ...], kiosk: Kiosk, tmp_path: Path
) -> None:
    done = ran((*client, "anna"), kiosk)
    assert (done.returncode, done.stdout) == (0, "match\n"), done.stderr
    done = ran((*client, "carl"), kiosk)
    assert (done.returncode, done.stdout) == (1, "locked\n"), done.stderr
    _, other = signing.generate(tmp_path / "other")
    done = ran((*client, "carl"), kiosk, KIOSK_KEY=str(other))
    assert (done.returncode != 0, done.stdout) == (True, ""), "another device's word"
    done = ran((*client, "anna"), kiosk, KIOSK_TOKEN="w" * 43)
    assert (done.returncode != 0, done.stdout) == (True, ""), "a wrong token"


def test_pam(kiosk: Kiosk, tmp_path: Path) -> None:
    if ctypes.util.find_library("pam") is None:
        unavailable("no libpam: apt-get install libpam-modules")
    token = tmp_path / "token"
    token.write_text(kiosk.terminal)
    token.chmod(0o600)
    line = (EXAMPLES / "pam").read_text()
    for ours, theirs in (
        (
            "/usr/local/bin/edge-vessel kiosk verify",
            f"{sys.executable} -m edge_vessel.kiosk verify --url {kiosk.url}",
        ),
        ("/etc/edge-vessel/door.token", str(token)),
        ("/etc/edge-vessel/kiosk.pub.pem", str(kiosk.store / "device.pub.pem")),
    ):
        assert ours in line
        line = line.replace(ours, theirs)
    (tmp_path / "door").write_text(line)
    call = (sys.executable, "-c", AUTHENTICATE, str(tmp_path))
    assert ran((*call, "anna"), kiosk).returncode == 0
    assert ran((*call, "carl"), kiosk).returncode == 4, "pam_exec's PAM_SYSTEM_ERR"


class Mosquitto:
    """A real broker on loopback."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n"
        )

    def start(self) -> None:
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            unavailable("no mosquitto: apt-get install mosquitto")
        self._process = subprocess.Popen([program, "-c", str(self._configuration)])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Listener:
    """Another client of the broker, which keeps all that it hears."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, str]] = []
        self._new: queue.Queue[tuple[str, str]] = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#")
        self._client.on_message = lambda _, __, message: self._new.put(
            (message.topic.removeprefix("edge-vessel/kiosk/"), message.payload.decode())
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def until(self, *expected: tuple[str, str]) -> None:
        """Everything up to the last of those, which come in this order."""
        deadline_s = time.monotonic() + LONG_S
        for one in expected:
            while not self.heard or self.heard[-1] != one:
                self.heard.append(self._new.get(timeout=deadline_s - time.monotonic()))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_mqtt(kiosk: Kiosk, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    broker.start()
    listener = Listener(broker.port)
    bridge = subprocess.Popen(
        [sys.executable, EXAMPLES / "mqtt_bridge.py", "--kiosk", environment(kiosk)["KIOSK"],
         "--port", str(broker.port)],
        env=environment(kiosk),
    )  # fmt: skip
    result = ("result", '{"operation": "verify", "status": "match"}')
    try:
        listener.until(("availability", "online"))
        assert ran((*PYTHON, "anna"), kiosk).returncode == 0
        listener.until(
            ("capture_started", '{"operation": "verify"}'),
            ("capture_taken", '{"number": 1, "of": 1}'),
            result,
        )
        broker.kill()
        broker.start()
        listener.until(("availability", "online"))
        assert ran((*PYTHON, "anna"), kiosk).returncode == 0
        listener.until(result)
        assert "anna" not in str(listener.heard)
        bridge.kill()
        listener.until(("availability", "offline"))
    finally:
        bridge.kill()
        bridge.wait()
        listener.close()
        broker.kill()
