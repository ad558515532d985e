"""One JSON object a line: every frame, every change of the camera, the summary."""

import errno
import os
import stat
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path

from edge_vessel.atomic import DISK_FAULTS
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.json_text import strict_json
from edge_vessel.meters.conditions import read_conditions
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable
from edge_vessel.sinks.records import camera_record, frame_record, iso_utc, unreadable_record

# An fsync costs an SD card tens of milliseconds: a power cut loses a second at most.
_FSYNC_EVERY_S = 1.0
_FILE_MODE = 0o640


class JsonlSink:
    """Appends to a file, or writes to standard output.

    A file that is there already is gone on with: a restarted service loses nothing, and each run
    ends with its own summary. Where a power cut tore its last line, the next one starts on a line
    of its own. Each line goes out whole and at once, in one write.

    With `every_s` it is a log: of the frames it takes one in so many seconds, each with a line of
    what the machine is like; of the frames that failed and of the camera it takes all.
    """

    def __init__(self, path: Path | str, every_s: float = 0.0) -> None:
        """Opens `path`; "-" is standard output.

        Raises:
            UsageError: `path` is a folder, its folder is missing, or it may not be written; it is
                a pipe that nobody reads; standard output is closed.
            DeviceError: the disk is full, read-only or failing.
        """
        self._every_s = every_s
        self._due_s = 0.0
        self._descriptor = -1
        self._own = str(path) != "-"
        self._name = str(path) if self._own else "standard output"
        if self._own:
            self._descriptor = _open(Path(path))
        else:
            self._descriptor = _standard_output()
        self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._synced_s = time.monotonic()
        try:
            self._end_torn_line()
        except DeviceError:
            self.close()
            raise

    def write(self, result: Result) -> None:
        """One line of type "frame", in a log one of type "machine" too, or none.

        Raises:
            DeviceError: the disk is full (the line is taken back whole), or the reader has gone.
        """
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._every_s
        self._line(frame_record(result))
        if self._every_s:
            self._line(
                {"type": "machine", "time": iso_utc(time.time()), **asdict(read_conditions())}
            )

    def unreadable(self, frame: Unreadable) -> None:
        """One line of type "frame" with status "failed".

        Raises:
            DeviceError: as `write`.
        """
        self._line(unreadable_record(frame, time.time()))

    def event(self, event: CameraEvent) -> None:
        """One line of type "camera".

        Raises:
            DeviceError: as `write`.
        """
        self._line(camera_record(event))

    def summary(self, summary: object) -> None:
        """One line of type "summary" with the fields of `summary`, a dataclass or a mapping.

        Raises:
            DeviceError: as `write`.
        """
        if is_dataclass(summary) and not isinstance(summary, type):
            summary = asdict(summary)
        if not isinstance(summary, Mapping):
            raise TypeError(f"a summary is a dataclass or a mapping, not {type(summary).__name__}")
        self._line({"type": "summary", **summary})

    def record(self, record: object) -> None:
        """One line of what `record`, a dataclass or a mapping, says.

        Raises:
            DeviceError: as `write`.
        """
        self._line(record)

    def close(self) -> None:
        """Forces the lines onto the disk and closes the file; standard output stays open.

        Raises:
            DeviceError: the disk failed to keep what was written.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0 or not self._own:
            return
        try:
            if self._regular:
                os.fsync(descriptor)
        except OSError as error:
            raise DeviceError(f"{self._name}: cannot be written: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def _line(self, record: object) -> None:
        self._put(strict_json(record).encode() + b"\n")
        now_s = time.monotonic()
        if self._regular and now_s - self._synced_s >= _FSYNC_EVERY_S:
            self._synced_s = now_s
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                raise DeviceError(f"{self._name}: cannot be written: {error.strerror}") from error

    def _put(self, line: bytes) -> None:
        written = 0
        try:
            # Only a pipe with a slow reader, or a disk that fills up, takes less than all.
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except BrokenPipeError as error:
            raise DeviceError(f"{self._name}: its reader has closed it") from error
        except OSError as error:
            if self._regular and written:
                size = os.fstat(self._descriptor).st_size
                os.ftruncate(self._descriptor, size - written)
            raise DeviceError(f"{self._name}: cannot be written: {error.strerror}") from error

    def _end_torn_line(self) -> None:
        if not self._own or not self._regular:
            return
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            self._put(b"\n")


def _standard_output() -> int:
    # Python's stdout is None where the shell closed it (`>&-`).
    if sys.stdout is None:
        raise UsageError("standard output is closed: name a file instead of -")
    try:
        sys.stdout.flush()
    except OSError as error:
        raise DeviceError(f"standard output: cannot be written: {error.strerror}") from error
    return sys.stdout.fileno()


def _open(path: Path) -> int:
    fifo = False
    try:
        fifo = path.is_fifo()
        # O_RDWR reads the last byte of a file; a pipe opened so would never see its reader leave.
        access = os.O_WRONLY if fifo else os.O_RDWR
        # A pipe that nobody reads would hold us up for ever.
        flags = access | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, _FILE_MODE)
    except OSError as error:
        if fifo and error.errno == errno.ENXIO:
            raise UsageError(f"{path}: this pipe has no reader: start its reader first") from error
        kind = DeviceError if error.errno in DISK_FAULTS else UsageError
        raise kind(
            f"{path}: cannot be opened for writing: {error.strerror}: name a file in a folder that "
            "exists and may be written"
        ) from error
    os.set_blocking(descriptor, True)
    return descriptor
