"""What values of a run can be; `schema/run.schema.json` says the same."""

from collections.abc import Sized
from dataclasses import dataclass
from typing import Annotated

from edge_vessel.json_reader import Form, Range


@dataclass(frozen=True)
class Length:
    """A rule for a list in `Annotated`: how many items it has."""

    minimum: int
    maximum: int

    def fault(self, value: Sized) -> str | None:
        """What is wrong with `value`, or None."""
        if self.minimum <= len(value) <= self.maximum:
            return None
        if self.minimum == self.maximum:
            return f"has not {self.minimum} items"
        return f"has not {self.minimum} to {self.maximum} items"


Index = Annotated[int, Range(0, 10**15)]
Count = Annotated[int, Range(1, 10**15)]
Real = Annotated[float, Range(-1e12, 1e12)]
NotNegative = Annotated[float, Range(0, 1e12)]
Positive = Annotated[float, Range(1e-4, 1e12)]
"""The CSV of samples has four decimals; no stage of a photograph is done in so few nanoseconds."""
Size = Annotated[tuple[Count, ...], Length(2, 2)]
"""(height, width), pixels."""
Sha256 = Annotated[str, Form("[0-9a-f]{64}", "a SHA-256 in 64 lower-case hex digits")]
Time = Annotated[
    str,
    Form(r"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\+00:00", "a UTC time with +00:00"),
]
