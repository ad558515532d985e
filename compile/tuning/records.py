"""What was measured, kept line by line, so that a search that was stopped goes on."""

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from edge_vessel.errors import DeviceError, UsageError

SIZES_FILE = "sizes.jsonl"
METASCHEDULE_FILES = ("database_workload.json", "database_tuning_record.json")


@dataclass
class Records:
    """A folder of measurements.

    Attributes:
        folder: holds `sizes.jsonl`, one measurement a line, and MetaSchedule's database.
    """

    folder: Path
    _seconds: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reads what is there; a last line that was cut off by a stop is dropped.

        Raises:
            UsageError: the folder cannot be used, or a line in the middle is no record.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = self._file.read_text() if self._file.exists() else ""
        except OSError as error:
            raise UsageError(f"{self.folder}: cannot keep records: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{self._file}: is no text: remove it") from error
        whole, _, cut = text.rpartition("\n")
        if cut:
            self._file.write_text(whole + "\n" if whole else "")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                one = json.loads(line)
                key = (str(one["function"]), str(one["place"]), str(one["candidate"]))
                seconds = float(one["seconds"])
                if not 0 < seconds < math.inf:
                    raise ValueError(f"{seconds} seconds")
                self._seconds[key] = seconds
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(
                    f"{self._file}: line {number} is no record ({error}): remove it"
                ) from error

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
        for name in (SIZES_FILE, *METASCHEDULE_FILES):
            path = self.folder / name
            digest.update(path.read_bytes() if path.exists() else b"")
        return digest.hexdigest()
