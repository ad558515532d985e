"""Is the audit file what the store wrote, and if not, which line is not?"""

from dataclasses import dataclass
from typing import Literal

from edge_vessel.biometrics.audit import Head, split_tail
from edge_vessel.biometrics.audit_line import Line, hash_of, parse

Finding = Literal["changed", "missing", "reordered", "cut", "other_history", "added"]


@dataclass(frozen=True)
class Fault:
    """`seq`: the line's own number, or the one it should have (`changed`)."""

    finding: Finding
    seq: int

    def __str__(self) -> str:
        return f"line {self.seq} {self.finding.replace('_', ' ')}"


@dataclass(frozen=True)
class Verification:
    """`unanchored` lines and a `torn` one at the end are a power cut's, not faults; the next append
    adopts and repairs them."""

    lines: int
    faults: tuple[Fault, ...]
    unanchored: int = 0
    torn: bool = False


def verify(content: bytes, head: Head, key: bytes) -> Verification:
    """Checks every line, their order, and the end that the store knows."""
    anchored, past = content[: head.size_bytes], content[head.size_bytes :]
    encoded = _split(anchored)
    tail = split_tail(past, head, key)
    ends_as_known = hash_of(encoded[-1]) == head.hash if encoded else head.seq == head.base_seq
    if not ends_as_known or tail.rest == "forged":
        # Something moved the end: all lines are looked at together.
        return Verification(len(_split(content)), tuple(_faults(_split(content), head, key)))
    faults = tuple(_faults(encoded, head, key))
    return Verification(len(encoded), faults, len(tail.whole), tail.rest == "torn")


def _split(content: bytes) -> list[bytes]:
    lines = [each + b"\n" for each in content.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _faults(encoded: list[bytes], head: Head, key: bytes) -> list[Fault]:
    lines = [parse(each, key) for each in encoded]
    faults: list[Fault] = []
    present = {line.seq for line in lines if line is not None}
    highest = seq = head.base_seq
    before: str | None = head.base_hash
    for bytes_of_line, line in zip(encoded, lines, strict=True):
        if line is None:
            seq += 1
            while seq in present:  # a line that was added takes no other's number
                seq += 1
            present.add(seq)
            changed: Finding = "changed" if bytes_of_line.endswith(b"\n") else "cut"
            faults.append(Fault(changed if seq <= head.seq else "added", seq))
        else:
            finding = _finding(line, bytes_of_line, seq, highest, before, head)
            if finding is not None:
                faults.append(Fault(finding, line.seq))
            seq = line.seq
        # A changed line's successor names the original, which is not there to be compared.
        before = None if line is None else hash_of(bytes_of_line)
        highest = max(highest, seq)
    missing = sorted(set(range(head.base_seq + 1, head.seq + 1)) - present)
    last = max((each for each in present if each <= head.seq), default=head.base_seq)
    return faults + [Fault("cut" if each > last else "missing", each) for each in missing]


def _finding(
    line: Line, encoded: bytes, seq: int, highest: int, before: str | None, head: Head
) -> Finding | None:
    """What is wrong with the place of a line that the store's key did write."""
    if line.seq > head.seq:
        return "added"
    if line.seq <= highest:
        return "reordered"
    follows = line.seq != seq + 1 or before in (None, line.previous)
    is_end = line.seq != head.seq or hash_of(encoded) == head.hash
    return None if follows and is_end else "other_history"
