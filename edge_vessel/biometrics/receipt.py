"""Proof that a store removed somebody's templates."""

import hmac
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from edge_vessel.biometrics.enrolment_record import SubjectId, TemplateId
from edge_vessel.json_reader import build, loads
from edge_vessel.json_text import strict_json
from edge_vessel.manifest import Sha256, UtcTime

_UNSIGNED = "0" * 64


@dataclass(frozen=True)
class Receipt:
    """What was removed and when; `mac` by HMAC-SHA256 under a key of the store that removed it.

    The store keeps no copy: a list of those who were deleted is what they asked not to be on.
    """

    subject: SubjectId
    template_ids: tuple[TemplateId, ...]
    deleted_at: UtcTime
    mac: Sha256

    def __str__(self) -> str:
        return strict_json(self)


def issue(key: bytes, subject: str, template_ids: tuple[str, ...]) -> Receipt:
    """A receipt of this moment."""
    receipt = Receipt(subject, template_ids, utc_now(), _UNSIGNED)
    return replace(receipt, mac=_mac(key, receipt))


def parse(content: bytes) -> Receipt:
    """What `str` wrote.

    Raises:
        StrictJsonError: it is no receipt.
    """
    return build(Receipt, loads(content))


def is_genuine(key: bytes, receipt: Receipt) -> bool:
    """Whether the holder of `key` issued exactly this."""
    return hmac.compare_digest(receipt.mac, _mac(key, receipt))


def utc_now() -> str:
    """This second, as the store writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _mac(key: bytes, receipt: Receipt) -> str:
    body = {name: value for name, value in asdict(receipt).items() if name != "mac"}
    return hmac.digest(key, strict_json(body).encode(), "sha256").hex()
