"""Whether a store keeps protected templates, and the number that a new one revokes them by.

A store is of one kind. It is of templates in the clear until it is told otherwise while nobody is
enrolled, and from then on of protected ones, so that no start without a flag weakens it.
"""

import secrets
from sqlite3 import Connection
from typing import Literal

from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.database_faults import damaged
from edge_vessel.biometrics.keys import StoreKey
from edge_vessel.biometrics.protection_key import RENEWAL_BYTES, ProtectionKey
from edge_vessel.biometrics.receipt import Receipt
from edge_vessel.biometrics.store import Store
from edge_vessel.errors import UsageError

Kind = Literal["clear", "protected"]


def kind_of(store: Store) -> Kind:
    """Of all templates in the store, those to come too.

    Raises:
        DeviceError: the number is damaged, as for all below.
    """
    return "clear" if _renewal(store) is None else "protected"


def key_of(store: Store) -> ProtectionKey | None:
    """The key of all its protected templates, as identification searches under one; None in the
    clear. It outlives a rotation of the store's key, and no renewal."""
    renewal = _renewal(store)
    if renewal is None:
        return None
    return ProtectionKey.of(StoreKey(store.ledger_key("protection")), renewal)


def settle(store: Store, kind: Kind) -> None:
    """Makes the store be of a kind.

    Raises:
        UsageError: it is of the other.
    """
    with store.transaction() as connection:
        if kind_of(store) == kind:
            return
        if kind == "clear":
            raise UsageError(
                f"{store.database.path}: is of protected templates; serve it without --templates "
                "clear, or name another --store"
            )
        if subjects := _subjects(store):
            raise UsageError(
                f"{store.database.path}: holds templates in the clear of {len(subjects)} subjects; "
                "to protect them: store delete each and enrol again, or name another --store"
            )
        _draw(connection)


def renew(store: Store) -> tuple[Receipt, ...]:
    """Revokes all protected templates: makes a new number, forgets the old one, and deletes what
    was under it, with a receipt and an audit line for each subject.

    Raises:
        UsageError: its templates are in the clear.
        DeviceError: as `Store.delete`.
    """
    with store.transaction() as connection:
        if kind_of(store) == "clear":
            raise UsageError(
                f"{store.database.path}: holds templates in the clear, which nothing revokes; "
                "see: store delete"
            )
        audit = Audit(store)
        audit.append("renew", "ok")
        receipts = []
        for subject in _subjects(store):
            receipts.append(store.delete(subject))
            audit.append("delete", "renewed", subject)
        _draw(connection)
        store.database.purge_after_commit()
    return tuple(receipts)


def _renewal(store: Store) -> bytes | None:
    with store.transaction("DEFERRED") as connection:
        renewal: bytes | None = connection.execute("SELECT renewal FROM store").fetchone()[0]
    if renewal is not None and len(renewal) != RENEWAL_BYTES:
        finding = f"its renewal number has {len(renewal)} bytes, not {RENEWAL_BYTES}"
        raise damaged(store.database.path, finding)
    return renewal


def _draw(connection: Connection) -> None:
    connection.execute("UPDATE store SET renewal = ?", (secrets.token_bytes(RENEWAL_BYTES),))


def _subjects(store: Store) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.subject for one in store.enrolments()))
