"""One line of the audit file."""

import hashlib
import hmac
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

from edge_vessel.json_reader import Form, Range, StrictJsonError, build, loads
from edge_vessel.json_text import strict_json
from edge_vessel.manifest import Sha256, UtcTime

Event = Literal[
    "started", "stopped", "enrol", "verify", "identify", "delete", "rotate", "repair", "restart",
    "denied", "renew",
]  # fmt: skip
# A word: long enough for a status and its hint, too short for anything of an eye.
Result = Annotated[str, Form(r"[a-z_]{1,32}", "a result: 1 to 32 of a-z and _")]
Pseudonym = Annotated[str, Form(r"[0-9a-f]{32}", "a pseudonym: 32 hex digits")]
Sequence = Annotated[int, Range(1, 2**53)]

MAX_LINE_BYTES = 1024
FIRST = "0" * 64  # what stands for the line before the first
_UNSIGNED = FIRST


@dataclass(frozen=True)
class Line:
    """`previous`: SHA-256 of the line before; `mac`: HMAC-SHA256 of this one's other fields."""

    seq: Sequence
    time: UtcTime
    event: Event
    subject: Pseudonym | None
    result: Result
    previous: Sha256
    mac: Sha256 = _UNSIGNED

    def encoded(self) -> bytes:
        """As it stands in the file, with its line break."""
        return strict_json(self).encode() + b"\n"

    def signed(self, key: bytes) -> "Line":
        return replace(self, mac=self._mac(key))

    def is_genuine(self, key: bytes) -> bool:
        """Whether the holder of `key` wrote exactly this."""
        return hmac.compare_digest(self.mac, self._mac(key))

    def _mac(self, key: bytes) -> str:
        body = {name: value for name, value in asdict(self).items() if name != "mac"}
        return hmac.digest(key, strict_json(body).encode(), "sha256").hex()


def parse(encoded: bytes, key: bytes) -> Line | None:
    """The line of these bytes, line break included; None where `key`'s holder did not write it."""
    try:
        line = build(Line, loads(encoded))
    except StrictJsonError:
        return None
    return line if line.is_genuine(key) and line.encoded() == encoded else None


def hash_of(encoded: bytes) -> str:
    """By which the next line names this one."""
    return hashlib.sha256(encoded).hexdigest()
