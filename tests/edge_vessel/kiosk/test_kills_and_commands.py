"""The commands as a user runs them, and a service that is killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from running_kiosks import ANNA, BORIS, ROOT, SAMPLES, SLOW_S, Kiosk, enrol, nonce

from edge_vessel import signing
from edge_vessel.biometrics import keys
from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.audit_verify import verify
from edge_vessel.biometrics.lockout import Lockout
from edge_vessel.biometrics.store import Store
from edge_vessel.kiosk import __main__ as commands
from edge_vessel.kiosk import serve_command


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]
UNIT_STOPS_S = 20.0  # TimeoutStopSec= of the unit


@pytest.fixture
def run(capsys, monkeypatch) -> Run:
    """Runs a command in this process, which starts faster than another."""

    def command(*arguments: object, **environment: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            code = commands.main(list(map(str, arguments)))
        return Done(code, *capsys.readouterr())

    return command


@pytest.fixture
def kiosk(tmp_path) -> Kiosk:
    return Kiosk(tmp_path)


def test_killed_while_it_enrols_it_starts_again_without_half_a_person(kiosk, run):
    """On the socket that the killed one left."""
    path = kiosk.folder / "kiosk.sock"
    kiosk.show(SAMPLES / ANNA)
    with kiosk.serving("--unix", str(path), "--enrol-pause", "30") as client:
        assert path.stat().st_mode & 0o777 == 0o660
        body = {"subject": "anna", "nonce": nonce(), "captures": 2, "timeout_s": 60}
        worker = threading.Thread(target=lambda: _fails(client, body))
        with client.stream("GET", "/v1/events") as stream:
            lines = stream.iter_lines()
            next(lines)
            worker.start()
            assert "event: remove_and_return" in lines
            kiosk.process.kill()
        worker.join()
    with kiosk.serving("--unix", str(path)) as client:
        assert client.get("/v1/subjects").json() == {"subjects": []}
        enrol(client, "anna")
        assert client.get("/v1/audit").json()["faults"] == []
        events = [one["event"] for one in client.get("/v1/audit").json()["lines"]]
        assert events == ["started", "started", "enrol"]
        _exit_codes(kiosk, path, run)
    assert not path.exists()
    assert kiosk.process.returncode == 0
    with Store(kiosk.store, keys.load(str(kiosk.key))) as store:
        audit = Audit(store)
        head, content = audit.snapshot()
        assert verify(content, head, audit.key).faults == ()
        assert b'"stopped"' in content.splitlines()[-1]


def _fails(client, body) -> None:
    with pytest.raises(httpx.TransportError):
        client.post("/v1/enrol", json=body)


def _exit_codes(kiosk: Kiosk, path: Path, run: Run) -> None:
    """Of `verify`, as PAM or a door's script sees them."""
    token = kiosk.folder / "terminal.token"
    token.write_text(kiosk.terminal + "\n")
    token.chmod(0o600)
    flags = ["--unix", path, "--token-file", token, "--device-key", kiosk.store / "device.pub.pem"]
    command = [sys.executable, "-m", "edge_vessel.kiosk", "verify", *map(str, flags)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PAM_USER": "anna"}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (process.stdout, process.stderr) == ("anna: match\n", "")
    kiosk.show(SAMPLES / BORIS)
    done = run("verify", "--subject", "anna", *flags)
    assert (done.returncode, done.stdout) == (1, "anna: no_match\n")
    kiosk.show()
    for timeout_s in (2.0, SLOW_S / 2):  # as a busy machine may have looked at no frame
        done = run("verify", "--subject", "anna", *flags, "--timeout", timeout_s)
        if "too_dark" in done.stdout:
            break
    assert (done.returncode, done.stdout) == (6, "anna: timeout, too_dark\n")
    with Store(kiosk.store, keys.load(str(kiosk.key))) as store:
        for _ in range(5):
            Lockout(store).begin("boris")
    done = run("verify", "--subject", "boris", *flags)
    assert done.returncode == 5
    assert done.stdout.startswith("boris: locked, wait ")
    (kiosk.folder / "eye").unlink()
    done = run("verify", "--subject", "anna", *flags)
    assert (done.returncode, done.stdout) == (3, "anna: camera_lost\n")
    done = run("verify", "--subject", "anna", *flags[:2], *flags[4:], EDGE_VESSEL_TOKEN="wrong")
    assert done.returncode == 2
    assert "401: no such token" in done.stderr
    _, other = signing.generate(kiosk.folder / "other")
    done = run("verify", "--subject", "anna", *flags[:5], other, "--timeout", "0.5")
    assert done.returncode == 3
    assert "the answer is not signed by the device" in done.stderr


def test_verify_without_a_key_or_a_user(kiosk, run):
    (kiosk.store / "device.pub.pem").write_bytes(b"")
    for flags, environment, code, message in (
        (["--subject", "anna"], {}, 2, "device.pub.pem: is not a PEM public key"),
        ([], {"PAM_USER": "Anna!"}, 2, "'Anna!': is no subject id"),
    ):
        key = ["--device-key", kiosk.store / "device.pub.pem"]
        done = run("verify", *key, *flags, EDGE_VESSEL_TOKEN="x", **environment)
        assert done.returncode == code
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_tokens(kiosk, run):
    store = ["--store", kiosk.store]
    done = run("token", "add", "gate", "--role", "terminal", *store)
    assert done.returncode == 0
    assert len(done.stdout.strip()) == 43
    assert done.stdout.strip().encode() not in (kiosk.store / "tokens.json").read_bytes()
    assert "gate" in run("token", "list", *store).stdout
    again = run("token", "add", "gate", "--role", "operator", *store)
    assert (again.returncode, again.stderr) == (
        2, "error: gate: there is such a token; remove it first\n"
    )  # fmt: skip
    assert run("token", "remove", "gate", *store).returncode == 0
    assert run("token", "remove", "gate", *store).returncode == 2
    assert "gate" not in run("token", "list", *store).stdout


def test_a_removed_token_opens_nothing_at_once_and_signals_end_listeners(kiosk, run):
    manager = kiosk.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(manager))
        notified.settimeout(SLOW_S)
        os.environ.update(NOTIFY_SOCKET=str(manager), WATCHDOG_USEC="400000")
        kiosk.show()
        with kiosk.serving("--metrics-open") as client:
            told = [notified.recv(4096).decode() for _ in range(3)]
            assert told[0].startswith(f"READY=1\nSTATUS=listens on {kiosk.url}")
            assert told[1:] == ["WATCHDOG=1", "WATCHDOG=1"]
            headers = {"Authorization": f"Bearer {kiosk.terminal}"}
            assert client.get("/v1/status", headers=headers).json()["demonstration"] is True
            assert run("token", "remove", "door", "--store", kiosk.store).returncode == 0
            assert client.get("/v1/status", headers=headers).status_code == 401
            assert httpx.get(f"{kiosk.url}/metrics").status_code == 200
            with client.stream("GET", "/v1/events") as stream:
                lines = stream.iter_lines()
                next(lines)
                started_s = time.monotonic()
                kiosk.process.send_signal(signal.SIGINT)
                assert list(lines) == [""]
            assert kiosk.process.wait(SLOW_S) == 0
            assert time.monotonic() - started_s < UNIT_STOPS_S


@pytest.mark.parametrize(
    ("name", "content", "mode", "message"),
    [
        ("tokens.json", b"{}", 0o644, "tokens.json: is open to others"),
        ("tokens.json", b"{}", 0o600, "remove it and add tokens anew"),
        ("device.key", b"junk", 0o600, "or remove device.key and device.pub.pem"),
        ("device.pub.pem", b"junk", 0o644, "or remove device.key and device.pub.pem"),
    ],
)
def test_a_service_whose_files_are_damaged(name, content, mode, message, kiosk, capsys):
    file = kiosk.store / name
    file.write_bytes(content)
    file.chmod(mode)
    usual = ["--camera", "play:eye", "--store", str(kiosk.store), "--key", str(kiosk.key)]
    assert serve_command.main([*usual, "--model", "m2unet-fundus-544"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--bind", "0.0.0.0:8471"], 2, "others would reach it"),
        (["--bind", "127.0.0.1"], 2, "ADDRESS:PORT, such as 127.0.0.1:8471"),
        (["--bind", "kiosk:80"], 2, "ADDRESS:PORT, such as 127.0.0.1:8471"),
        (["--bind", "127.0.0.1:99999"], 2, "ADDRESS:PORT, such as 127.0.0.1:8471"),
        (["--unix", "KEY"], 3, "is no socket; name another path"),
        (["--unix", "LISTENED"], 3, "another service listens there; stop it first"),
        (["--bind", "TAKEN"], 3, "cannot be bound: Address already in use"),
        (["--camera", ""], 2, "--camera: names none"),
        (["--camera", "synthetic:width=64,height=64"], 2, "give a synthetic one a rate: fps=15"),
        (["--camera", "play:eye,pace=3"], 2, "unknown option 'pace'; known: fps, hold, side"),
        (["--camera", "play:eye,fps=0"], 2, "fps: a whole number from 1 to 120"),
        (["--key", "/nonexistent"], 2, "cannot be read: No such file or directory"),
        (["--model", "/nonexistent"], 2, "no such artifact; name its folder"),
    ],
)
def test_a_service_that_cannot_start(flags, code, message, kiosk, capsys):
    listened = kiosk.folder / "listened"
    with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as tcp:
        unix.bind(str(listened))
        unix.listen()
        names = {
            "KEY": str(kiosk.key), "LISTENED": str(listened),
            "TAKEN": f"127.0.0.1:{tcp.getsockname()[1]}",
        }  # fmt: skip
        flags = [names.get(flag, flag) for flag in flags]
        usual = ["--camera", "play:eye", "--store", str(kiosk.store), "--key", str(kiosk.key)]
        usual += ["--model", "m2unet-fundus-544"]
        assert serve_command.main([*usual, *flags]) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(kiosk, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert serve_command.main(["--camera", "0", "--key", str(kiosk.key)]) == 2
    said = capsys.readouterr().err
    assert said == "error: uvicorn is missing: pip install 'edge-vessel[kiosk]'\n"
