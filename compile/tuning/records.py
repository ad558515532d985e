"""What was measured, kept line by line, so that a search that was stopped goes on."""

import errno
import fcntl
import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from edge_vessel.errors import DeviceError, UsageError

SIZES_FILE = "sizes.jsonl"


@dataclass
class Records:
    """A folder of measurements, of one process at a time.

    Attributes:
        folder: holds `sizes.jsonl`, one measurement a line, and a folder for each place with
            MetaSchedule's database, which does not know places.
    """

    folder: Path
    _seconds: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _lock: IO[str] | None = None

    def __post_init__(self) -> None:
        """Reads what is there; a last line that was cut off by a stop is dropped.

        Raises:
            UsageError: the folder cannot be used, or a line in the middle is no record.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
            text = self._file.read_text() if self._file.exists() else ""
        except OSError as error:
            raise UsageError(f"{self.folder}: cannot keep records: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{self._file}: is no text: remove it") from error
        whole, _, cut = text.rpartition("\n")
        if cut.startswith("{"):
            self._file.write_text(whole + "\n" if whole else "")
        elif cut:
            raise UsageError(f"{self._file}: its last line is no record: remove it")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                one = json.loads(line)
                key = (str(one["function"]), str(one["place"]), str(one["candidate"]))
                seconds = one["seconds"]
                if type(seconds) not in (int, float) or not 0 < seconds < math.inf:
                    raise ValueError(f"{seconds} seconds")
                self._seconds[key] = seconds
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(
                    f"{self._file}: line {number} is no record ({error}): remove it"
                ) from error

    def _locked(self) -> IO[str] | None:
        """Held until this process ends; None where nobody can write anyhow.

        Raises:
            UsageError: another process measures into this folder.
        """
        try:
            file = (self.folder / "lock").open("a")
        except OSError as error:
            if error.errno in (errno.EROFS, errno.EACCES):
                return None
            raise
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise UsageError(
                f"{self.folder}: another process keeps its records there: wait for it, or name "
                "another folder"
            ) from error
        return file

    def database(self, place: str) -> Path:
        """The folder of MetaSchedule's database for one place."""
        readable = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")[:60]
        return self.folder / f"{readable}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"

    @property
    def _file(self) -> Path:
        return self.folder / SIZES_FILE

    def find(self, function: str, place: str, candidate: str) -> float | None:
        """Seconds that were measured before."""
        return self._seconds.get((function, place, candidate))

    def add(self, function: str, name: str, place: str, candidate: str, seconds: float) -> None:
        """Keeps a measurement at once.

        Raises:
            DeviceError: it cannot be written.
        """
        self._seconds[function, place, candidate] = seconds
        line = {
            "function": function,
            "name": name,
            "place": place,
            "candidate": candidate,
            "seconds": seconds,
        }
        try:
            with self._file.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise DeviceError(f"{self._file}: cannot be written: {error.strerror}") from error

    def sha256(self) -> str:
        """Of all records, for the manifest."""
        digest = hashlib.sha256()
        kept = sorted(self.folder.glob("*/*.json"))
        for path in [one for one in (self._file, *kept) if one.exists()]:
            digest.update(path.read_bytes())
        return digest.hexdigest()
