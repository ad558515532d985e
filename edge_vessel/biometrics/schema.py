"""The tables of the store and how an older store gets them."""

import sqlite3

APPLICATION_ID = 0x45565354  # "EVST": SQLite keeps it in the file's header

# A store of schema version n has had the first n steps. A step that has shipped never changes.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE store (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            salt BLOB NOT NULL,
            key_check BLOB NOT NULL,
            sealed_ledger_key BLOB NOT NULL,
            purge_due INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        """CREATE TABLE templates (
            template_id TEXT PRIMARY KEY,
            subject TEXT NOT NULL,
            version INTEGER NOT NULL,
            enrolled_at TEXT NOT NULL,
            sealed BLOB NOT NULL
        ) STRICT""",
        "CREATE INDEX templates_by_subject ON templates (subject)",
    ),
    (
        """CREATE TABLE attempts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            subject TEXT,
            boot_id TEXT NOT NULL,
            boottime_s REAL NOT NULL,
            wall_s REAL NOT NULL
        ) STRICT""",
        "CREATE INDEX attempts_by_subject ON attempts (subject)",
        """CREATE TABLE audit_head (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            base_seq INTEGER NOT NULL,
            base_hash TEXT NOT NULL,
            seq INTEGER NOT NULL,
            hash TEXT NOT NULL,
            size_bytes INTEGER NOT NULL
        ) STRICT""",
        "INSERT INTO audit_head VALUES (1, 0, hex(zeroblob(32)), 0, hex(zeroblob(32)), 0)",
    ),
    # NULL: templates in the clear.
    ("ALTER TABLE store ADD COLUMN renewal BLOB",),
)
SCHEMA_VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version; 0 of a file that holds nothing yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Brings any older schema, or an empty file, to this program's; inside one transaction."""
    for step in MIGRATIONS[version_of(connection) :]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
