"""Measuring on a board that TVM's tracker lends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import tvm
from test_tuning import CORE, TARGET, make

from compile.tuning import RpcMeter
from edge_vessel.errors import DeviceError, UsageError


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def tracker() -> Iterator[str]:
    """TVM's tracker and one machine behind it, real processes on loopback."""
    port, own = _free_port(), _free_port()
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m"]
    # Each does its work in a child, which outlives it: a session is ended as a whole.
    alone = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    processes = [
        subprocess.Popen(
            [*command, "tvm.exec.rpc_tracker", "--host", "127.0.0.1", "--port", str(port),
             "--port-end", str(port + 1)],
            **alone,
        )
    ]  # fmt: skip
    processes.append(
        subprocess.Popen(
            [*command, "tvm.exec.rpc_server", "--host", "127.0.0.1", "--tracker", address,
             "--port", str(own), "--port-end", str(own + 1), "--key", "bench"],
            **alone,
        )
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            try:
                if "bench" in tvm.rpc.connect_tracker("127.0.0.1", port).text_summary():
                    break
            except (OSError, RuntimeError):
                pass
            time.sleep(0.5)
        yield address
    finally:
        for process in reversed(processes):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


@pytest.mark.slow
def test_a_board_behind_a_tracker_measures(tracker: str) -> None:
    meter = RpcMeter(f"{tracker}/bench", TARGET, 1)
    assert meter.place == "board bench, x86_64, 1 threads"
    assert 0 < meter.seconds(make(CORE)) < 1
    assert 0 < meter.seconds(make(CORE)) < 1


@pytest.mark.parametrize("address", ["h:99999/k", "", "host", "host:9190", "h:port/key", "a b:1/k"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"such as|ports end at 65535"):
        RpcMeter(address, TARGET, 1)


@pytest.mark.slow
def test_a_board_that_nobody_lends(tracker: str) -> None:
    with pytest.raises(DeviceError, match=r"none of 'rk3399' is free, it lends \['bench'\]"):
        RpcMeter(f"{tracker}/rk3399", TARGET, 1)


def test_who_listens_and_says_nothing_is_no_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compile.tuning.meter._ANSWER_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}/bench"
        with pytest.raises(DeviceError, match="no board there: timed out"):
            RpcMeter(address, TARGET, 1)


def test_nobody_there() -> None:
    with pytest.raises(DeviceError, match="no board there"):
        RpcMeter(f"127.0.0.1:{_free_port()}/bench", TARGET, 1)
