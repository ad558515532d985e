"""The templates of a kiosk on its disk: sealed, lasting once acknowledged, gone once deleted."""

import contextlib
import hmac
import secrets
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from edge_vessel.biometrics import receipt as receipts
from edge_vessel.biometrics.database import BUSY_TIMEOUT_S, Database
from edge_vessel.biometrics.database_faults import damaged
from edge_vessel.biometrics.enrolment_record import Enrolment, StoredTemplate, check_subject
from edge_vessel.biometrics.keys import KEY_BYTES, StoreKey
from edge_vessel.biometrics.receipt import Receipt, utc_now
from edge_vessel.biometrics.schema import SCHEMA_VERSION, migrate
from edge_vessel.biometrics.sealing import BrokenSealError, Sealer
from edge_vessel.errors import DeviceError, UsageError

MAX_TEMPLATE_BYTES = 1024 * 1024
DEFAULT_FOLDER = Path("/var/lib/edge-vessel/biometrics")
_LEDGER_PLACE = b"ledger key"
_LISTED = "SELECT subject, template_id, version, enrolled_at FROM templates ORDER BY rowid"
_EVERYBODY = (
    "SELECT subject, template_id, version, enrolled_at, sealed FROM templates ORDER BY rowid"
)
_OF_SUBJECT = _EVERYBODY.replace("ORDER BY", "WHERE subject = ? ORDER BY")
_INSERT = (
    "INSERT INTO templates (subject, template_id, version, enrolled_at, sealed) "
    "VALUES (?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class _Opened:
    """What a key opens: `ledger` is the store's own, random, and outlives a rotation."""

    key_check: bytes
    templates: Sealer
    ledger: StoreKey


class Store:
    """An open store; a context manager. Any number of threads and processes may have it open."""

    def __init__(
        self,
        folder: Path,
        key: StoreKey,
        *,
        create: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        """Opens the store in `folder` (mode 0700), brings an older schema up to date, and ends a
        removal that a kill cut short.

        Raises:
            UsageError: the key is not the store's (nothing was changed then), there is no store, or
                the folder holds something else or something newer.
            DeviceError: the store is damaged, or the disk or another process stands in the way.
        """
        self.folder = folder
        self.database = Database(folder, create=create, busy_timeout_s=busy_timeout_s)
        try:
            if self.database.schema_version == 0:
                self._create(key, create)
            self._opened = self._unlock(key)
            self.database.use_wal()
            if self.database.schema_version < SCHEMA_VERSION:
                with self.transaction() as connection:
                    migrate(connection)
            with self.transaction("DEFERRED") as connection:
                purge_due = connection.execute("SELECT purge_due FROM store").fetchone()[0]
            if purge_due:
                self.database.purge()
        except BaseException:
            self.database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is lost without it."""
        self.database.close()

    @contextlib.contextmanager
    def transaction(
        self, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE"
    ) -> Iterator[sqlite3.Connection]:
        """Several calls in one: all of them last, or none. See `Database.transaction`.

        Raises:
            UsageError: another process has rotated the key since this one opened the store.
        """
        with self.database.transaction(kind) as connection:
            key_check = connection.execute("SELECT key_check FROM store").fetchone()[0]
            if key_check != self._opened.key_check:
                raise UsageError(
                    f"{self.database.path}: its key was rotated; start again with the new key"
                )
            yield connection

    def ledger_key(self, purpose: str) -> bytes:
        """The store's key for receipts, audit lines or pseudonyms; the same after a rotation."""
        return self._opened.ledger.derive(purpose, b"")

    def enrol(self, subject: str, content: bytes, version: int) -> Enrolment:
        """Adds a template; once this returns (or the transaction around it ends), it lasts.

        Args:
            content: the template, 1 to `MAX_TEMPLATE_BYTES`; not looked into.
            version: of the template's format.

        Raises:
            UsageError: no subject id, or an empty or too large template.
            DeviceError: as `transaction`; nothing was added.
        """
        check_subject(subject)
        if not 0 < len(content) <= MAX_TEMPLATE_BYTES:
            raise UsageError(f"{subject}: template of {len(content)} bytes; capture it again")
        with self.transaction() as connection:
            enrolment = Enrolment(subject, secrets.token_hex(8), version, utc_now())
            _insert(connection, self._opened.templates, StoredTemplate(enrolment, content))
        return enrolment

    def templates(self, subject: str | None = None) -> tuple[StoredTemplate, ...]:
        """Those of `subject`, none for a stranger; without one, those of everybody.

        Raises:
            DeviceError: a template was changed, damaged or put in another's place.
        """
        query, values = (_EVERYBODY, ()) if subject is None else (_OF_SUBJECT, (subject,))
        with self.transaction("DEFERRED") as connection:
            rows = connection.execute(query, values).fetchall()
            sealer = self._opened.templates
        return tuple(self._open_row(sealer, Enrolment(*row[:4]), row[4]) for row in rows)

    def enrolments(self) -> tuple[Enrolment, ...]:
        """Everybody's, in their order, without a template."""
        with self.transaction("DEFERRED") as connection:
            return tuple(Enrolment(*row) for row in connection.execute(_LISTED))

    def delete(self, subject: str, template_id: str | None = None) -> Receipt:
        """Removes one template of `subject`, or all with every trace of the subject's attempts.

        Raises:
            UsageError: there is nothing of that subject or id.
            DeviceError: as `transaction`; or it is removed, but a copy could not be yet: the line
                says so, and there is no receipt.
        """
        with self.transaction() as connection:
            rows = connection.execute(
                "DELETE FROM templates WHERE subject = ? AND template_id = coalesce(?, template_id)"
                " RETURNING template_id",
                (check_subject(subject), template_id),
            ).fetchall()
            if not rows:
                what = subject if template_id is None else f"{subject}, template {template_id}"
                raise UsageError(f"{what}: is not enrolled; see: store list")
            if template_id is None:
                connection.execute(
                    "UPDATE attempts SET subject = NULL WHERE subject = ?", (subject,)
                )
            self.database.purge_after_commit()
            removed = tuple(row[0] for row in rows)
            return receipts.issue(self.ledger_key("receipts"), subject, removed)

    def issued(self, receipt: Receipt) -> bool:
        """Whether this store issued the receipt."""
        return receipts.is_genuine(self.ledger_key("receipts"), receipt)

    def rotate(self, key: StoreKey) -> int:
        """Seals every template anew under `key`, all or none; the old key opens nothing then.

        Returns how many templates there are.

        Raises:
            DeviceError: as `templates` and `transaction`; the old key stays the store's.
        """
        with self.transaction() as connection:
            stored = self.templates()
            salt = secrets.token_bytes(KEY_BYTES)
            opened = _Opened(
                key.derive("key check", salt),
                Sealer(key.derive("templates", salt)),
                self._opened.ledger,
            )
            connection.execute("DELETE FROM templates")
            for each in stored:
                _insert(connection, opened.templates, each)
            connection.execute(
                "UPDATE store SET salt = ?, key_check = ?, sealed_ledger_key = ?",
                (salt, opened.key_check, _seal_ledger(key, salt, opened.ledger)),
            )
            self.database.purge_after_commit()
        self._opened = opened
        return len(stored)

    def _create(self, key: StoreKey, create: bool) -> None:
        if not create:
            raise UsageError(f"{self.database.path}: there is no template store; enrol first")
        self.database.use_wal()
        with self.database.transaction() as connection:
            # Another process may have been faster.
            if self.database.schema_version == 0:
                migrate(connection)
                salt = secrets.token_bytes(KEY_BYTES)
                ledger = StoreKey(secrets.token_bytes(KEY_BYTES))
                connection.execute(
                    "INSERT INTO store (id, salt, key_check, sealed_ledger_key) VALUES (1,?,?,?)",
                    (salt, key.derive("key check", salt), _seal_ledger(key, salt, ledger)),
                )

    def _unlock(self, key: StoreKey) -> _Opened:
        with self.database.transaction("DEFERRED") as connection:
            row = connection.execute("SELECT salt, key_check, sealed_ledger_key FROM store")
            salt, key_check, sealed = row.fetchone() or (b"", b"", b"")
        if not hmac.compare_digest(key.derive("key check", salt), key_check):
            raise UsageError(
                f"{self.database.path}: the key is not this store's; name the one it was made with"
            )
        try:
            ledger = Sealer(key.derive("ledger", salt)).open(sealed, _LEDGER_PLACE)
        except BrokenSealError as error:
            raise damaged(self.database.path, "its ledger key does not open") from error
        return _Opened(key_check, Sealer(key.derive("templates", salt)), StoreKey(ledger))

    def _open_row(self, sealer: Sealer, enrolment: Enrolment, sealed: bytes) -> StoredTemplate:
        try:
            return StoredTemplate(enrolment, sealer.open(sealed, enrolment.associated_data()))
        except BrokenSealError as error:
            raise DeviceError(
                f"{self.database.path}: template {enrolment.template_id} of {enrolment.subject} "
                "was changed, damaged or moved; delete the subject and enrol again"
            ) from error


def _seal_ledger(key: StoreKey, salt: bytes, ledger: StoreKey) -> bytes:
    return Sealer(key.derive("ledger", salt)).seal(ledger.secret, _LEDGER_PLACE)


def _insert(connection: sqlite3.Connection, sealer: Sealer, stored: StoredTemplate) -> None:
    enrolment = stored.enrolment
    connection.execute(
        _INSERT,
        (
            enrolment.subject, enrolment.template_id, enrolment.version, enrolment.enrolled_at,
            sealer.seal(stored.content, enrolment.associated_data()),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    from edge_vessel.biometrics.store_commands import main

    sys.exit(main())
