"""Times one TIR function: on this machine, or on a board that a tracker lends."""

import platform
import re
import socket
import statistics
import struct
import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tvm
from tvm import rpc, tirx
from tvm.rpc.base import RPC_TRACKER_MAGIC
from tvm.s_tir.meta_schedule.arg_info import ArgInfo

from compile.targets import CompileTarget
from edge_vessel.errors import DeviceError, UsageError

_REPEATS = 5
_MIN_REPEAT_MS = 20
_BOARD_TIMEOUT_S = 120
_ANSWER_TIMEOUT_S = 5
_RPC = re.compile(r"(?P<host>[^:/\s]+):(?P<port>\d{1,5})/(?P<key>[\w.-]+)")
_LAST_PORT = 65535
_FUNCTION = "measured"


class Meter(Protocol):
    """What measures; `place` says where, for the records."""

    place: str

    def seconds(self, function: tirx.PrimFunc) -> float:
        """Median of one call with random arguments.

        Raises:
            DeviceError: it could not be built, sent or run.
        """


class LocalMeter:
    """This machine, in this process.

    Args:
        target: one that this machine runs.
        threads: of the compiled code.
    """

    def __init__(self, target: CompileTarget, threads: int) -> None:
        self.place = f"{_processor()}, {target.name}, {threads} threads"
        self._target = target.tvm(threads)

    def seconds(self, function: tirx.PrimFunc) -> float:
        """See `Meter.seconds`."""
        try:
            library = _built(function, self._target).mod
            return _timed(library, tvm.cpu(), function)
        except (RuntimeError, ValueError, TypeError) as error:
            raise DeviceError(f"cannot be measured: {_last_line(error)}") from error


class RpcMeter:
    """A board behind TVM's RPC tracker; several boards of one key are a farm.

    Args:
        address: host:port/key, such as 192.168.1.5:9190/rk3399.
        target: of the board.
        threads: of the compiled code.
        connect: False for records alone: nothing can be measured then.

    Raises:
        UsageError: the address has another form.
        DeviceError: nobody answers there, or has no such board.
    """

    def __init__(
        self, address: str, target: CompileTarget, threads: int, connect: bool = True
    ) -> None:
        found = _RPC.fullmatch(address)
        if found is None:
            raise UsageError(f"--rpc {address}: such as 192.168.1.5:9190/rk3399")
        host, port = found["host"], int(found["port"])
        if port > _LAST_PORT:
            raise UsageError(f"--rpc {address}: ports end at {_LAST_PORT}")
        self.place = f"board {found['key']}, {target.name}, {threads} threads"
        self._compiler = target.compiler
        self._target = target.tvm(threads)
        self._key = found["key"]
        if connect:
            self._connect(address, host, port)

    def _connect(self, address: str, host: str, port: int) -> None:
        try:
            # TVM's own calls wait for minutes, and for a board that nobody has for ever.
            _greet(host, port)
            self._tracker = rpc.connect_tracker(host, port)
            boards = self._tracker.summary()["queue_info"]
            if not boards.get(self._key, {}).get("free", 0):
                raise OSError(f"none of {self._key!r} is free, it lends {list(boards) or 'none'}")
            self._session = self._request()
        # What is no tracker may say anything, which TVM's client takes for an answer.
        except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
            raise DeviceError(
                f"--rpc {address}: no board there: {_last_line(error)}; start `python -m "
                "tvm.exec.rpc_tracker` and on the board `python -m tvm.exec.rpc_server`"
            ) from error

    def _request(self) -> Any:
        return self._tracker.request(self._key, priority=1, session_timeout=_BOARD_TIMEOUT_S)

    def seconds(self, function: tirx.PrimFunc) -> float:
        """See `Meter.seconds`; a session that the board ended is asked for again, once."""
        for attempt in (1, 2):
            try:
                return self._seconds(function)
            except (OSError, RuntimeError, ValueError) as error:
                if attempt == 2:
                    raise DeviceError(f"{self.place}: {_last_line(error)}") from error
            try:
                self._session = self._request()
            except (OSError, RuntimeError) as error:
                raise DeviceError(f"{self.place}: {_last_line(error)}") from error
        raise AssertionError

    def _seconds(self, function: tirx.PrimFunc) -> float:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "measured.so"
            compiler = tvm.support.cc.cross_compiler(self._compiler)
            _built(function, self._target).export_library(str(library), fcompile=compiler)
            self._session.upload(str(library))
        try:
            return _timed(self._session.load_module(library.name), self._session.cpu(), function)
        finally:
            self._session.remove(library.name)


def _processor() -> str:
    """What /proc/cpuinfo calls it; the architecture where it has no name."""
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _greet(host: str, port: int) -> None:
    """Raises OSError where no tracker answers in time."""
    word = struct.pack("<i", RPC_TRACKER_MAGIC)
    with socket.create_connection((host, port), _ANSWER_TIMEOUT_S) as connection:
        connection.sendall(word)
        if connection.recv(len(word)) != word:
            raise OSError("what answers is no tracker")


def _built(function: tirx.PrimFunc, target: tvm.target.Target) -> Any:
    named = function.with_attr("global_symbol", _FUNCTION)
    return tvm.compile(tvm.IRModule({_FUNCTION: named}), target=target)


def _timed(library: Any, device: Any, function: tirx.PrimFunc) -> float:
    random = np.random.default_rng(0)
    arguments = []
    for info in ArgInfo.from_prim_func(function):
        _, kind, shape = info.as_json()
        values = random.random([int(n) for n in shape], np.float32)
        scaled = values * 255 if kind == "uint8" else values
        arguments.append(tvm.runtime.tensor(scaled.astype(kind), device))
    measure = library.time_evaluator(
        _FUNCTION, device, number=1, repeat=_REPEATS, min_repeat_ms=_MIN_REPEAT_MS
    )
    return statistics.median(float(one) for one in measure(*arguments).results)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
