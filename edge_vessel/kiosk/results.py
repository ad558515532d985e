"""What comes of an operation, and the signature by which a client knows whose word it is."""

import base64
import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_vessel import signing
from edge_vessel.biometrics.quality import Hint

Operation = Literal["enrol", "verify", "identify"]
Status = Literal[
    "match", "no_match", "enrolled", "retry", "locked", "camera_lost", "timeout", "cancelled",
    "error",
]  # fmt: skip


@dataclass(frozen=True)
class Result:
    """The answer to one operation.

    subject: whom the request named, or whom identification found; None where it found nobody.
    hint: what the person should change; the last one given where the time ran out.
    device: SHA-256 of the raw public key that `signature` verifies under, in hex.
    time: UTC, to the second.
    sequence: number of the operation's line in the audit file; it grows, across restarts too.
    retry_after_s: of `locked`, rounded up. Whole, as every number here: two languages write the
        same fraction differently, and then the signature would not hold.
    signature: base64 of Ed25519 over `canonical` of the document without it.
    """

    operation: Operation
    status: Status
    hint: Hint | None
    subject: str | None
    nonce: str
    device: str
    time: str
    sequence: int
    retry_after_s: int | None
    signature: str = ""

    def signed(self, key: Ed25519PrivateKey) -> "Result":
        """The same under the device's signature."""
        made = signing.sign(canonical(_unsigned(asdict(self))), key)
        return replace(self, signature=base64.b64encode(made).decode())

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        return canonical(asdict(self))


def canonical(document: object) -> bytes:
    """JSON with sorted keys and without spaces, in UTF-8: the same bytes for the same document."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _unsigned(document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name != "signature"}
