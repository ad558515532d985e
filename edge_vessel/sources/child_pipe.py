"""A child process whose output is read with a deadline, and which is ended when it is late.

It never outlives this process, however this process ends: the kernel kills it (PR_SET_PDEATHSIG).
"""

import ctypes
import fcntl
import os
import queue
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import cache

# As much as an unprivileged process may ask for: fewer turns for each frame.
_PIPE_BYTES = 1 << 20
_ERROR_BYTES = 8192
_GRACE_S = 1.0
_KILL_S = 1.0  # a process that a driver holds does not die of SIGKILL either
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_Start = Callable[[], "subprocess.Popen[bytes]"]
_libc = ctypes.CDLL(None, use_errno=True)


class ChildPipe:
    """Runs `arguments` without a shell, in a session of its own.

    `errors` holds the end of what it wrote to stderr. One thread reads; any thread may `close`.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.errors = b""
        self._reading = threading.Lock()
        self._closing = threading.Lock()
        self._closed = False
        self._out, out_end = os.pipe2(os.O_CLOEXEC)
        self._err, err_end = os.pipe2(os.O_CLOEXEC)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        parent = os.getpid()
        try:
            with suppress(OSError):
                fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._process = _starter(parent).start(
                lambda: subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=out_end,
                    stderr=err_end,
                    start_new_session=True,
                    # Safe with threads: it takes no lock that another of them may hold.
                    preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509
                )
            )
        except (OSError, subprocess.SubprocessError) as error:
            self._close_descriptors()
            raise error if isinstance(error, OSError) else OSError(0, str(error)) from error
        finally:
            os.close(out_end)
            os.close(err_end)
        self._poll = select.poll()
        for fd in (self._out, self._err):
            os.set_blocking(fd, False)
            self._poll.register(fd, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def readable(self) -> bool:
        """Whether output waits to be read."""
        with self._reading:
            if self._closed:
                return False
            events = self._poll.poll(0)
        return any(fd == self._out and event & select.POLLIN for fd, event in events)

    def read_into(self, target: memoryview, deadline_s: float) -> int:
        """Fills `target` until `deadline_s` of `time.monotonic()`; fewer bytes mean the end.

        Raises:
            TimeoutError: the deadline passed.
            ConnectionAbortedError: it was closed, perhaps by another thread meanwhile.
        """
        filled = 0
        with self._reading:
            while filled < len(target):
                wait_ms = (deadline_s - time.monotonic()) * 1000
                # A closed one has given its descriptors back; they may be others' by now.
                events = {} if self._closed or wait_ms <= 0 else dict(self._poll.poll(wait_ms))
                if self._closed:
                    raise ConnectionAbortedError("closed")
                if not events:
                    raise TimeoutError("no output in time")
                if self._err in events:
                    self._read_errors()
                if self._out in events:
                    count = os.readv(self._out, [target[filled:]])
                    if not count:
                        break
                    filled += count
            if self._closed:
                raise ConnectionAbortedError("closed")
        return filled

    def wait(self) -> int:
        """After the end of the output: the exit code; ends the process if it lingers."""
        self._end()
        with self._reading, suppress(BlockingIOError):
            if not self._closed:
                more = os.read(self._err, _ERROR_BYTES)
                self.errors = (self.errors + more)[-_ERROR_BYTES:]
        code = self._process.returncode
        return -signal.SIGKILL if code is None else code

    def close(self) -> None:
        """Ends the process, by force if it does not go by itself, and closes the pipes.

        A read in another thread fails at once. Harmless when it is closed already.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
            os.eventfd_write(self._wake, 1)
            self._process.terminate()
            with self._reading:
                self._close_descriptors()
            self._end()

    def _close_descriptors(self) -> None:
        for fd in (self._out, self._err, self._wake):
            os.close(fd)

    def _end(self) -> None:
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_KILL_S)

    def _read_errors(self) -> None:
        text = os.read(self._err, _ERROR_BYTES)
        if not text:
            self._poll.unregister(self._err)
        self.errors = (self.errors + text)[-_ERROR_BYTES:]


def _die_with(parent: int) -> None:
    """Runs in the child between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


class _Starter:
    """A thread that starts children and lasts as long as this process.

    PR_SET_PDEATHSIG fires at the end of the thread that forked, not of the process.
    """

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[tuple[_Start, Future[subprocess.Popen[bytes]]]]
        self._asked = queue.SimpleQueue()
        threading.Thread(target=self._run, name="child-starter", daemon=True).start()

    def start(self, start: _Start) -> "subprocess.Popen[bytes]":
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._asked.put((start, answer))
        return answer.result()

    def _run(self) -> None:
        while True:
            start, answer = self._asked.get()
            try:
                answer.set_result(start())
            except BaseException as error:  # belongs to the thread that asked
                answer.set_exception(error)
            del start, answer


@cache
def _starter(pid: int) -> _Starter:
    """The one of this process: a fork has none of its parent's threads."""
    del pid
    return _Starter()
