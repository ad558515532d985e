"""The JSON documents of the API besides `Result` and `State`."""

from dataclasses import dataclass

from edge_vessel.biometrics.audit_line import Line
from edge_vessel.biometrics.audit_verify import Verification
from edge_vessel.biometrics.renewal import Kind
from edge_vessel.kiosk.kiosk import State
from edge_vessel.kiosk.tokens import Role


@dataclass(frozen=True)
class Fault:
    """Of every answer that is no success: one line for a person."""

    error: str


@dataclass(frozen=True)
class Health:
    status: str


@dataclass(frozen=True)
class StatusReport(State):
    """`role`: of the token that asks; a page offers what it may do."""

    role: Role


@dataclass(frozen=True)
class ModelName:
    """`sha256` of the artifact's manifest, which names the hash of every file of it."""

    name: str
    version: int
    sha256: str


@dataclass(frozen=True)
class Device:
    """`public_key`: PEM; `device`: SHA-256 of the raw public key in hex."""

    public_key: str
    device: str
    model: ModelName
    template_kind: Kind
    template_version: int


@dataclass(frozen=True)
class SubjectEntry:
    subject: str
    template_version: int
    enrolled_at: str


@dataclass(frozen=True)
class Subjects:
    subjects: tuple[SubjectEntry, ...]


@dataclass(frozen=True)
class AuditEntry:
    """`subject` is a pseudonym that only the store's key can tell the person of."""

    seq: int
    time: str
    event: str
    subject: str | None
    result: str

    @staticmethod
    def of(line: Line) -> "AuditEntry":
        return AuditEntry(line.seq, line.time, line.event, line.subject, line.result)


@dataclass(frozen=True)
class AuditReport:
    """The last lines, and what was found wrong with any line of the file."""

    lines: tuple[AuditEntry, ...]
    faults: tuple[str, ...]

    @staticmethod
    def of(lines: tuple[Line, ...], found: Verification) -> "AuditReport":
        entries = tuple(AuditEntry.of(line) for line in lines)
        return AuditReport(entries, tuple(str(fault) for fault in found.faults))
