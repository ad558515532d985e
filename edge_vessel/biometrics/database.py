"""One SQLite file that keeps what was acknowledged and loses what was deleted."""

import contextlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from edge_vessel.biometrics.database_faults import PRIMARY, damaged, told
from edge_vessel.biometrics.schema import APPLICATION_ID, SCHEMA_VERSION, version_of
from edge_vessel.errors import DeviceError, UsageError

NAME = "templates.db"
BUSY_TIMEOUT_S = 5.0
_POLL_S = 0.01
_PRAGMAS = (
    "synchronous = FULL",  # in WAL mode: an fsync before a commit returns
    "secure_delete = ON",  # freed bytes are overwritten with zeros
    "temp_store = MEMORY",  # VACUUM would write its copy to /var/tmp
    "trusted_schema = OFF",
    "cell_size_check = ON",
)


class Database:
    """A connection. Threads take turns; processes wait for each other up to the busy timeout."""

    def __init__(
        self, folder: Path, *, create: bool, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Opens `folder`/templates.db, changes nothing in it, and makes sure that it is ours.

        Raises:
            UsageError: it is missing and not to be created, of something else, of a newer program,
                or open to others.
            DeviceError: it is damaged, cannot be opened, or another process holds it.
        """
        self.path = folder / NAME
        self._turn = threading.RLock()
        self._purge_due = False
        self._busy_timeout_s = busy_timeout_s
        _prepare(folder, self.path, create)
        with told(self.path):
            self._connection = sqlite3.connect(
                f"file:{quote(str(self.path))}?mode=rw",
                uri=True,
                timeout=busy_timeout_s,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with told(self.path):
                for pragma in _PRAGMAS:
                    self._connection.execute(f"PRAGMA {pragma}")
                with self.transaction("DEFERRED"):  # one view, while another process creates it
                    self._refuse_foreign()
        except BaseException:
            self._connection.close()
            raise

    @property
    def schema_version(self) -> int:
        """0 where nothing was ever written."""
        with self._turn, told(self.path):
            return version_of(self._connection)

    def use_wal(self) -> None:
        """Write-ahead logging: a killed writer leaves the last commit whole."""
        with self._turn, told(self.path):
            mode = self._wal_mode()
        if mode != "wal":
            raise DeviceError(f"{self.path}: this file system allows no WAL; name another folder")

    @contextlib.contextmanager
    def transaction(
        self, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE"
    ) -> Iterator[sqlite3.Connection]:
        """All or nothing; the outermost counts. IMMEDIATE to write, DEFERRED to read.

        Raises:
            DeviceError: disk full, read-only or failing, damage, or another process holds the file.
        """
        with self._turn, told(self.path):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute(f"BEGIN {kind}")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._purge_due = False
                # A full disk has ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            if self._purge_due:
                self.purge()

    def purge_after_commit(self) -> None:
        """Called inside a transaction that deletes. A kill before the purge leaves it due on disk,
        for the next opening."""
        self._connection.execute("UPDATE store SET purge_due = 1")
        self._purge_due = True

    def purge(self) -> None:
        """Leaves no copy of a deleted row in the file or in the log.

        Raises:
            DeviceError: another process is reading old pages, or the disk is full; it stays due.
        """
        self._purge_due = False
        try:
            with self._turn, told(self.path):
                self._connection.execute("VACUUM")
                busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if busy:
                    raise DeviceError(f"{self.path}: another process still reads old pages; end it")
                self._connection.execute("UPDATE store SET purge_due = 0")
        except DeviceError as error:
            raise DeviceError(
                f"{error}. The change is made, its old pages are not removed yet: store status "
                "does it"
            ) from error

    def close(self) -> None:
        with self._turn, told(self.path):
            self._connection.close()

    def _wal_mode(self) -> str:
        """SQLite does not wait by itself where two processes create one store."""
        deadline_s = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                return str(self._connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & PRIMARY == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() >= deadline_s:
                    raise
            time.sleep(_POLL_S)

    def _refuse_foreign(self) -> None:
        owner = int(self._connection.execute("PRAGMA application_id").fetchone()[0])
        tables = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        version = version_of(self._connection)
        if owner != APPLICATION_ID and (owner or version or tables):
            raise UsageError(f"{self.path}: is a database of another program; name another folder")
        if version > SCHEMA_VERSION:
            raise UsageError(
                f"{self.path}: has schema version {version}, this program knows {SCHEMA_VERSION}; "
                "install the newer edge_vessel"
            )
        finding = self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if finding != "ok":
            raise damaged(self.path, " ".join(finding.split()))


def _prepare(folder: Path, path: Path, create: bool) -> None:
    """Makes the folder and the file where they are missing; refuses links and open modes."""
    try:
        if create:
            _create(folder, path)
        for each, allowed, right in ((folder, stat.S_ISDIR, "700"), (path, stat.S_ISREG, "600")):
            mode = each.lstat().st_mode
            if not allowed(mode):
                kind = "folder" if each == folder else "regular file"
                raise UsageError(f"{each}: is not a {kind}, or a link to one; name another folder")
            if mode & 0o077:
                shown = f"{stat.S_IMODE(mode):04o}"
                raise UsageError(
                    f"{each}: is open to others (mode {shown}); run: chmod {right} {each}"
                )
    except FileNotFoundError as error:
        if create:
            raise UsageError(f"{folder.parent}: there is no such folder; make it") from error
        raise UsageError(f"{path}: there is no template store; enrol first") from error
    except OSError as error:
        raise DeviceError(f"{path}: cannot be opened: {error.strerror}") from error


def _create(folder: Path, path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        for each in (folder, folder.parent):
            descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
