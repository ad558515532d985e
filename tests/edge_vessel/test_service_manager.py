import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_vessel import service_manager
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "path":
        return str(tmp_path / "notify")
    return f"@edge-vessel-test-{secrets.token_hex(8)}"


@pytest.fixture
def manager(address: str) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0", 1))
        listening.settimeout(10)
        yield listening


def test_what_is_told_arrives(manager, address):
    service = ServiceManager(address, None)
    service.tell(READY="1", STATUS="two\nlines\tbecome one")
    assert manager.recv(4096) == b"READY=1\nSTATUS=two lines become one"
    service.close()


def test_a_manager_that_does_not_listen_holds_nobody_up(manager, address):
    service = ServiceManager(address, None)
    for _ in range(10_000):
        service.tell(WATCHDOG="1")
    manager.close()
    service.tell(WATCHDOG="1")
    service.close()


PID = str(os.getpid())


@pytest.mark.parametrize(
    ("variables", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": PID}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon", "WATCHDOG_PID": PID}, None),
    ],
)
def test_the_watchdog_of_this_process(manager, address, monkeypatch, variables, watchdog_s):
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    service = service_manager.of_this_process()
    assert service is not None
    assert service.watchdog_s == watchdog_s
    service.close()


@pytest.mark.parametrize("value", [None, ""])
def test_started_by_hand(value, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if value is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", value)
    assert service_manager.of_this_process() is None


@pytest.mark.parametrize(
    ("address", "fault", "message"),
    [
        ("/no/such/socket", DeviceError, "NOTIFY_SOCKET=/no/such/socket: No such file"),
        ("vsock:2:1234", UsageError, "vsock:2:1234: neither a path nor an abstract name"),
    ],
)
def test_an_address_that_is_none(address, fault, message):
    with pytest.raises(fault, match=message):
        ServiceManager(address, None)
