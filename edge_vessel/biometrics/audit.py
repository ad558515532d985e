"""Who asked what and what came of it: an append-only file whose end the store knows.

A line is written and fsynced first, its anchor (count, hash and length of the file) committed to
the store after it. What lies past the anchor was never acknowledged: whole lines, or a torn one,
that a power cut or a full disk left. What is missing before the anchor was acknowledged, and
somebody took it away.
"""

import contextlib
import hmac
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Literal

from edge_vessel.biometrics.audit_line import MAX_LINE_BYTES, Event, Line, hash_of, parse
from edge_vessel.biometrics.receipt import utc_now
from edge_vessel.biometrics.store import Store
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import DeviceError

NAME = "audit.jsonl"
MAX_FILE_BYTES = 2**30
MAX_TAIL_BYTES = 1024 * 1024
_PSEUDONYM_BYTES = 16


@dataclass(frozen=True)
class Head:
    """The anchor: the file begins after line `base_seq` and ends, at `size_bytes`, with `seq`."""

    base_seq: int
    base_hash: str
    seq: int
    hash: str
    size_bytes: int


class Audit:
    """The audit file of a store. Processes take turns by the store's write lock."""

    def __init__(self, store: Store) -> None:
        self.path = store.folder / NAME
        self.key = store.ledger_key("audit")
        self._pseudonym_key = store.ledger_key("pseudonyms")
        self._store = store

    def pseudonym(self, subject: str) -> str:
        """What stands in the file for a subject; without the store's key nobody can tell whose."""
        return hmac.digest(self._pseudonym_key, subject.encode(), "sha256")[:_PSEUDONYM_BYTES].hex()

    def append(self, event: Event, result: str, subject: str | None = None) -> Line:
        """Writes a line that lasts once this returns; repairs the end of the file first.

        Raises:
            DeviceError: lines are missing or forged, or the disk fails; nothing was acknowledged.
        """
        with self._opened() as (connection, descriptor):
            head = self._settled(connection, descriptor)
            if subject is not None:
                subject = self.pseudonym(subject)
            return self._write(connection, descriptor, head, event, result, subject)[1]

    def restart(self) -> Path:
        """Moves the file aside, whatever state it is in, and goes on with the chain in a new one;
        returns where the old one is.

        Raises:
            DeviceError: the file cannot be moved.
        """
        with self._store.transaction() as connection:
            aside = self.path.with_name(f"audit-to-{self.head(connection).seq}.jsonl")
            try:
                # Nothing is kept of a file that was taken away, or whose restart was cut short.
                if self.path.exists() and self.path.stat().st_size > 0:
                    if os.path.lexists(aside):
                        raise DeviceError(f"{aside}: exists; move it away")
                    self.path.rename(aside)
            except OSError as error:
                raise DeviceError(f"{self.path}: cannot be moved: {error.strerror}") from error
            connection.execute(
                "UPDATE audit_head SET base_seq = seq, base_hash = hash, size_bytes = 0"
            )
            self.append("restart", "ok")
        return aside

    def head(self, connection: Connection) -> Head:
        """What the store knows, inside a transaction."""
        row = connection.execute(
            "SELECT base_seq, base_hash, seq, hash, size_bytes FROM audit_head"
        ).fetchone()
        return Head(*row)

    def snapshot(self) -> tuple[Head, bytes]:
        """The anchor and the file as they belong together.

        Raises:
            DeviceError: the file cannot be read, or is none: a pipe, say, would hold the store's
                lock for ever.
        """
        with self._store.transaction() as connection:
            content = b""
            if os.path.lexists(self.path):
                content = read_regular(self.path, MAX_FILE_BYTES, DeviceError)
            return self.head(connection), content

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[Connection, int]]:
        with self._store.transaction() as connection:
            try:
                flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                descriptor = os.open(self.path, flags, 0o600)
                try:
                    yield connection, descriptor
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise DeviceError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _settled(self, connection: Connection, descriptor: int) -> Head:
        """The anchor, after what a power cut left past it was adopted or cut off."""
        head = self.head(connection)
        size_bytes = os.fstat(descriptor).st_size
        if size_bytes == head.size_bytes:
            if size_bytes == 0:
                self._close_to_others(descriptor)
            return head
        if size_bytes < head.size_bytes:
            raise self._tampered(f"lost {head.size_bytes - size_bytes} bytes that were there")
        content = os.pread(descriptor, MAX_TAIL_BYTES + 1, head.size_bytes)
        tail = split_tail(content, head, self.key)
        if tail.rest == "forged":
            raise self._tampered("has lines past its end that the store's key did not write")
        for encoded in tail.whole:
            head = self._anchor(connection, head, encoded)
        if tail.rest == "torn":
            os.ftruncate(descriptor, head.size_bytes)
            head = self._write(connection, descriptor, head, "repair", "torn_line", None)[0]
        return head

    def _write(
        self,
        connection: Connection,
        descriptor: int,
        head: Head,
        event: Event,
        result: str,
        subject: str | None,
    ) -> tuple[Head, Line]:
        line = Line(head.seq + 1, utc_now(), event, subject, result, head.hash).signed(self.key)
        encoded = line.encoded()
        if parse(encoded, self.key) is None:
            raise ValueError(f"not an audit line: {event!r}, {result!r}")
        # A short write, on a full disk, is a torn line to the next append.
        if os.write(descriptor, encoded) != len(encoded):
            raise DeviceError(f"{self.path}: cannot be written: the disk is full")
        os.fsync(descriptor)
        return self._anchor(connection, head, encoded), line

    def _anchor(self, connection: Connection, head: Head, encoded: bytes) -> Head:
        new = Head(
            head.base_seq, head.base_hash,
            head.seq + 1, hash_of(encoded), head.size_bytes + len(encoded),
        )  # fmt: skip
        connection.execute(
            "UPDATE audit_head SET seq = ?, hash = ?, size_bytes = ?",
            (new.seq, new.hash, new.size_bytes),
        )
        return new

    def _close_to_others(self, descriptor: int) -> None:
        """Of a new file; it lasts then."""
        os.fchmod(descriptor, 0o600)
        folder = os.open(self._store.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _tampered(self, what: str) -> DeviceError:
        return DeviceError(
            f"{self.path}: {what}; see: audit verify; then: audit restart, which keeps the file"
        )


@dataclass(frozen=True)
class Tail:
    """What lies past the anchor: lines that follow it, and what comes after those."""

    whole: tuple[bytes, ...]
    rest: Literal["torn", "forged"] | None


def split_tail(content: bytes, head: Head, key: bytes) -> Tail:
    """Tells what a power cut leaves, a part of one line, from what only a hand can have added.

    A file system may have lengthened the file before it wrote the line: then NUL stand in it.
    """
    whole: list[bytes] = []
    seq, before = head.seq, head.hash
    while content:
        encoded = content[: content.find(b"\n") + 1]
        line = parse(encoded, key)
        if line is None or (line.seq, line.previous) != (seq + 1, before):
            torn = len(content) <= MAX_LINE_BYTES and (not encoded or b"\0" in content)
            return Tail(tuple(whole), "torn" if torn else "forged")
        whole.append(encoded)
        seq, before, content = line.seq, hash_of(encoded), content[len(encoded) :]
    return Tail(tuple(whole), None)


if __name__ == "__main__":
    from edge_vessel.biometrics.audit_commands import main

    sys.exit(main())
