"""Is the audit file what the store wrote, and if not, which line is not?"""

import itertools
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
    finding: Finding | None
    for bytes_of_line, line in zip(encoded, lines, strict=True):
        if line is not None:
            place, finding = line.seq, _finding(line, bytes_of_line, seq, highest, before, head)
        else:
            # A changed line stands for the one that should be here, where that is nowhere else.
            place = next(n for n in itertools.count(seq + 1) if n not in present)
            present.add(place)
            finding = "changed" if bytes_of_line.endswith(b"\n") else "cut"
        if place > head.seq:
            finding = "added"
        if finding is not None:
            faults.append(Fault(finding, place))
        if finding == "added":
            continue
        seq, highest = place, max(highest, place)
        # A changed line's successor names the original, which is not there to be compared.
        before = None if line is None else hash_of(bytes_of_line)
    missing = sorted(set(range(head.base_seq + 1, head.seq + 1)) - present)
    last = max((each for each in present if each <= head.seq), default=head.base_seq)
    return faults + [Fault("cut" if each > last else "missing", each) for each in missing]


def _finding(
    line: Line, encoded: bytes, seq: int, highest: int, before: str | None, head: Head
) -> Finding | None:
    """What is wrong with the place of a line that the store's key did write."""
    if line.seq <= highest:
        return "reordered"
    follows = line.seq != seq + 1 or before in (None, line.previous)
    is_end = line.seq != head.seq or hash_of(encoded) == head.hash
    return None if follows and is_end else "other_history"
