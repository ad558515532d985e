"""Stores for the tests of what the kiosk keeps."""

import secrets
from pathlib import Path

from edge_vessel.biometrics import schema
from edge_vessel.biometrics.keys import StoreKey
from edge_vessel.biometrics.store import Store

KEY, OTHER_KEY = StoreKey(b"k" * 32), StoreKey(b"o" * 32)


def new_store(folder: Path, key: StoreKey = KEY) -> Store:
    """An empty one."""
    return Store(folder, key, create=True)


def filled(folder: Path, **templates: bytes) -> Store:
    """With one template for each subject."""
    store = new_store(folder)
    for subject, content in templates.items():
        store.enrol(subject, content, 1)
    return store


def contents(store: Store) -> dict[str, list[bytes]]:
    """Every template by subject."""
    found: dict[str, list[bytes]] = {}
    for each in store.templates():
        found.setdefault(each.enrolment.subject, []).append(each.content)
    return found


def bytes_on_disk(folder: Path) -> bytes:
    """Of the database, its log and its index."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("templates.db*")))


def older_store(folder: Path, monkeypatch, steps: int) -> None:
    """As a program that knew the first `steps` of the schema would have left it, with one
    template of `anna`."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:steps])
        patch.setattr(schema, "SCHEMA_VERSION", steps)
        filled(folder, anna=b"template").close()


def some_bytes(count: int = 500) -> bytes:
    """Such as stand nowhere else."""
    return secrets.token_bytes(count)
