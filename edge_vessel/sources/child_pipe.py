"""A child process whose output is read with a deadline, and which is ended when it is late."""

import fcntl
import os
import select
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

# As much as an unprivileged process may ask for: fewer turns for each frame.
_PIPE_BYTES = 1 << 20
_ERROR_BYTES = 8192
_GRACE_S = 1.0


class ChildPipe:
    """Runs `arguments` without a shell, in a session of its own.

    `errors` holds the end of what it wrote to stderr.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.errors = b""
        self._out, out_end = os.pipe2(os.O_CLOEXEC)
        self._err, err_end = os.pipe2(os.O_CLOEXEC)
        try:
            with suppress(OSError):
                fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=out_end,
                stderr=err_end,
                start_new_session=True,
            )
        except OSError:
            os.close(self._out)
            os.close(self._err)
            raise
        finally:
            os.close(out_end)
            os.close(err_end)
        self._poll = select.poll()
        for fd in (self._out, self._err):
            os.set_blocking(fd, False)
            self._poll.register(fd, select.POLLIN)

    def readable(self) -> bool:
        """Whether output waits to be read."""
        return any(fd == self._out and event & select.POLLIN for fd, event in self._poll.poll(0))

    def read_into(self, target: memoryview, deadline_s: float) -> int:
        """Fills `target` until `deadline_s` of `time.monotonic()`; fewer bytes mean the end.

        Raises:
            TimeoutError: the deadline passed.
        """
        filled = 0
        while filled < len(target):
            wait_ms = (deadline_s - time.monotonic()) * 1000
            events = dict(self._poll.poll(wait_ms)) if wait_ms > 0 else {}
            if not events:
                raise TimeoutError("no output in time")
            if self._err in events:
                self._read_errors()
            if self._out in events:
                count = os.readv(self._out, [target[filled:]])
                if not count:
                    break
                filled += count
        return filled

    def wait(self) -> int:
        """After the end of the output: the exit code; ends the process if it lingers."""
        self._end()
        with suppress(BlockingIOError):
            self.errors = (self.errors + os.read(self._err, _ERROR_BYTES))[-_ERROR_BYTES:]
        return self._process.returncode

    def close(self) -> None:
        """Ends the process, by force if it does not go by itself, and closes the pipes."""
        self._process.terminate()
        self._end()
        os.close(self._out)
        os.close(self._err)

    def _end(self) -> None:
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read_errors(self) -> None:
        text = os.read(self._err, _ERROR_BYTES)
        if not text:
            self._poll.unregister(self._err)
        self.errors = (self.errors + text)[-_ERROR_BYTES:]
