"""What is enrolled lasts, what is deleted is gone, and nothing opens with another key."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from biometric_stores import (
    KEY,
    OTHER_KEY,
    bytes_on_disk,
    contents,
    filled,
    new_store,
    older_store,
    some_bytes,
)
from needs import unavailable
from nobody import as_nobody

from edge_vessel.biometrics import schema
from edge_vessel.biometrics.store import MAX_TEMPLATE_BYTES, Store
from edge_vessel.errors import DeviceError, UsageError


def raw(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "templates.db", isolation_level=None)


def test_what_was_enrolled_comes_back(tmp_path):
    with filled(tmp_path / "s", anna=b"first", bert=b"second") as store:
        again = store.enrol("anna", b"third", 2)
    with Store(tmp_path / "s", KEY) as store:
        assert contents(store) == {"anna": [b"first", b"third"], "bert": [b"second"]}
        assert [each.content for each in store.templates("anna")] == [b"first", b"third"]
        assert store.templates("nobody") == ()
        assert again in store.enrolments()
        assert again.version == 2


def test_nothing_of_a_template_shows(tmp_path):
    content = some_bytes()
    with filled(tmp_path / "s", anna=content) as store:
        assert content not in bytes_on_disk(tmp_path / "s")
        assert content[:16] not in bytes_on_disk(tmp_path / "s")
        assert repr(content[:4])[2:-1] not in repr(store.templates())
    assert "kkk" not in repr(KEY)


def test_only_the_owner_may_read(tmp_path):
    before = os.umask(0)
    try:
        with filled(tmp_path / "s", anna=b"x"):
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "s").iterdir()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {"templates.db", "templates.db-wal"} <= modes.keys()
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("subject", "content", "said"),
    [
        ("", b"x", "no subject id"),
        ("Anna", b"x", "no subject id"),
        ("../anna", b"x", "no subject id"),
        ("anna\n", b"x", "no subject id"),
        ("a" * 65, b"x", "no subject id"),
        ("ännä", b"x", "no subject id"),
        ("-anna", b"x", "no subject id"),
        ("anna", b"", "template of 0 bytes"),
        ("anna", bytes(MAX_TEMPLATE_BYTES + 1), "template of 1048577 bytes"),
    ],
)
def test_refuses_what_it_cannot_keep(tmp_path, subject, content, said):
    with new_store(tmp_path / "s") as store:
        with pytest.raises(UsageError, match=said):
            store.enrol(subject, content, 1)
        assert store.enrolments() == ()


def test_a_wrong_key_changes_nothing(tmp_path):
    older = tmp_path / "s"
    filled(older, anna=b"x").close()
    before = bytes_on_disk(older)
    with pytest.raises(UsageError, match="the key is not this store's"):
        Store(older, OTHER_KEY, create=True)
    assert bytes_on_disk(older) == before


def test_a_wrong_key_does_not_migrate(tmp_path, monkeypatch):
    older_store(tmp_path / "s", monkeypatch, 1)
    with pytest.raises(UsageError, match="the key is not this store's"):
        Store(tmp_path / "s", OTHER_KEY)
    assert raw(tmp_path / "s").execute("PRAGMA user_version").fetchone() == (1,)


SWAPS = [
    "UPDATE templates SET subject = CASE subject WHEN 'anna' THEN 'bert' ELSE 'anna' END",
    "UPDATE templates SET sealed = (SELECT sealed FROM templates t WHERE t.subject = 'bert')",
    "UPDATE templates SET template_id = 'ffffffffffffffff' WHERE subject = 'anna'",
    "UPDATE templates SET version = 2",
    "UPDATE templates SET enrolled_at = '2020-01-01T00:00:00Z'",
    "UPDATE templates SET sealed = zeroblob(40)",
    "UPDATE templates SET sealed = x'00'",
]


@pytest.mark.parametrize("swap", SWAPS)
def test_rows_cannot_be_exchanged_or_changed(tmp_path, swap):
    filled(tmp_path / "s", anna=b"one", bert=b"two").close()
    with contextlib.closing(raw(tmp_path / "s")) as connection:
        connection.execute(swap)
    with Store(tmp_path / "s", KEY) as store:
        with pytest.raises(DeviceError, match="was changed, damaged or moved; delete"):
            store.templates()
        with pytest.raises(DeviceError, match="was changed, damaged or moved"):
            store.rotate(OTHER_KEY)
        assert len(store.enrolments()) == 2


@pytest.mark.parametrize("of_many", [1, 60])
def test_a_deleted_template_is_nowhere(tmp_path, of_many):
    folder = tmp_path / "s"
    with filled(folder, anna=some_bytes(9000)) as store:
        for number in range(of_many):
            store.enrol(f"other-{number}", some_bytes(700), 1)
        sealed = raw(folder).execute("SELECT sealed FROM templates WHERE subject='anna'")
        pieces = [sealed_bytes := sealed.fetchone()[0], sealed_bytes[4200:4260], b"anna"]
        assert any(piece in bytes_on_disk(folder) for piece in pieces)
        receipt = store.delete("anna")
        assert [piece in bytes_on_disk(folder) for piece in pieces] == [False] * 3
        assert (folder / "templates.db-wal").stat().st_size < 20_000
        assert len(receipt.template_ids) == 1
        assert store.issued(receipt)
        assert len(store.enrolments()) == of_many
    assert [piece in bytes_on_disk(folder) for piece in pieces] == [False] * 3


def test_one_template_of_a_subject(tmp_path):
    with filled(tmp_path / "s", anna=b"one") as store:
        second = store.enrol("anna", b"two", 1)
        with pytest.raises(UsageError, match="bert, template"):
            store.delete("bert", second.template_id)
        assert store.delete("anna", second.template_id).template_ids == (second.template_id,)
        assert contents(store) == {"anna": [b"one"]}
        with pytest.raises(UsageError, match="bert: is not enrolled"):
            store.delete("bert")


def test_a_receipt_is_of_its_store(tmp_path):
    with filled(tmp_path / "a", anna=b"x") as one, filled(tmp_path / "b", anna=b"x") as other:
        receipt = one.delete("anna")
        one.rotate(OTHER_KEY)
        assert one.issued(receipt)
        assert not other.issued(receipt)


def test_a_removal_that_was_cut_short_ends_at_the_next_opening(tmp_path):
    folder = tmp_path / "s"
    filled(folder, anna=some_bytes()).close()
    sealed = raw(folder).execute("SELECT sealed FROM templates").fetchone()[0]
    if (child := os.fork()) == 0:
        store = Store(folder, KEY)
        store.database.purge = lambda: os._exit(0)  # as if killed after the commit
        store.delete("anna")
    assert os.waitpid(child, 0)[1] == 0
    Store(folder, KEY).close()
    assert sealed not in bytes_on_disk(folder)
    with contextlib.closing(raw(folder)) as connection:
        assert connection.execute("SELECT purge_due FROM store").fetchone() == (0,)


def test_a_reader_that_holds_old_pages_is_told(tmp_path):
    folder = tmp_path / "s"
    filled(folder, anna=b"x").close()
    with Store(folder, KEY, busy_timeout_s=0.05) as store, contextlib.closing(raw(folder)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM templates").fetchall()
        said = r"another process .*\. The change is made, its old pages are not removed yet: store"
        with pytest.raises(DeviceError, match=said):
            store.delete("anna")
        other.execute("COMMIT")
    with Store(folder, KEY) as store:
        assert store.enrolments() == ()


def test_rotation(tmp_path):
    folder = tmp_path / "s"
    with filled(folder, anna=b"one", bert=b"two") as store, Store(folder, KEY) as running:
        sealed = [row[0] for row in raw(folder).execute("SELECT sealed FROM templates")]
        assert store.rotate(OTHER_KEY) == 2
        assert contents(store) == {"anna": [b"one"], "bert": [b"two"]}
        assert not any(each in bytes_on_disk(folder) for each in sealed)
        with pytest.raises(UsageError, match="its key was rotated; start again"):
            running.enrol("carl", b"three", 1)
    with pytest.raises(UsageError, match="the key is not this store's"):
        Store(folder, KEY)
    with Store(folder, OTHER_KEY) as store:
        assert contents(store) == {"anna": [b"one"], "bert": [b"two"]}


def test_several_calls_in_one_transaction(tmp_path):
    with filled(tmp_path / "s", anna=b"one") as store:
        with pytest.raises(RuntimeError), store.transaction():
            store.delete("anna")
            store.enrol("bert", b"two", 1)
            raise RuntimeError
        assert contents(store) == {"anna": [b"one"]}
        with store.transaction():
            store.delete("anna")
            store.enrol("bert", b"two", 1)
        assert contents(store) == {"bert": [b"two"]}


def test_an_older_store_is_brought_up_to_date(tmp_path, monkeypatch):
    older_store(tmp_path / "s", monkeypatch, 1)
    with Store(tmp_path / "s", KEY) as store:
        assert contents(store) == {"anna": [b"template"]}
        assert store.database.schema_version == schema.SCHEMA_VERSION


def test_a_migration_is_all_or_nothing(tmp_path, monkeypatch):
    older_store(tmp_path / "s", monkeypatch, 1)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE store (x)",)))
        with pytest.raises(DeviceError, match="already exists"):
            Store(tmp_path / "s", KEY)
    with contextlib.closing(raw(tmp_path / "s")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert (
            connection.execute("SELECT 1 FROM sqlite_schema WHERE name='attempts'").fetchall() == []
        )
    with Store(tmp_path / "s", KEY) as store:
        assert contents(store) == {"anna": [b"template"]}


def _flip_pages(folder: Path) -> None:
    path = folder / "templates.db"
    content = bytearray(path.read_bytes())
    content[4096:8192] = os.urandom(4096)
    path.write_bytes(content)


def _run(sql: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with contextlib.closing(raw(folder)) as connection:
            connection.executescript(sql)

    return change


def _link(folder: Path) -> None:
    (folder / "templates.db").rename(folder / "elsewhere")
    (folder / "templates.db").symlink_to(folder / "elsewhere")


@dataclass
class OpenCase:
    name: str
    change: Callable[[Path], object]
    kind: type[Exception]
    said: str


OPEN_CASES = [
    OpenCase("newer", _run("PRAGMA user_version = 99"), UsageError,
             "has schema version 99, this program knows 3; install the newer"),
    OpenCase("foreign", _run("PRAGMA application_id = 7"), UsageError,
             "is a database of another program"),
    OpenCase("no database", lambda f: (f / "templates.db").write_text("hello " * 1000), UsageError,
             "is no template store"),
    OpenCase("damaged pages", _flip_pages, DeviceError, "is damaged"),
    OpenCase("cut", lambda f: os.truncate(f / "templates.db", 9000), DeviceError, "is damaged"),
    OpenCase("no row", _run("DELETE FROM store"), UsageError, "the key is not this store's"),
    OpenCase("no table", _run("DROP TABLE store"), DeviceError, "is damaged .*no such table"),
    OpenCase("ledger", _run("UPDATE store SET sealed_ledger_key = x'00'"), DeviceError,
             "is damaged .its ledger key"),
    OpenCase("open folder", lambda f: f.chmod(0o750), UsageError,
             r"is open to others \(mode 0750\); run: chmod 700"),
    OpenCase("open file", lambda f: (f / "templates.db").chmod(0o640), UsageError,
             r"is open to others \(mode 0640\); run: chmod 600"),
    OpenCase("link", _link, UsageError, "is not a regular file"),
    OpenCase("gone", lambda f: (f / "templates.db").unlink(), UsageError, "no template store"),
    OpenCase("empty", lambda f: os.truncate(f / "templates.db", 0), UsageError,
             "no template store"),
]  # fmt: skip


@pytest.mark.parametrize("case", OPEN_CASES, ids=lambda case: case.name)
def test_what_is_no_store_of_ours_is_refused(tmp_path, case):
    folder = tmp_path / "s"
    filled(folder, anna=b"x" * 9000).close()
    case.change(folder)
    with pytest.raises(case.kind, match=case.said) as caught:
        Store(folder, KEY)
    assert "\n" not in str(caught.value)


def test_another_program_s_database_is_left_as_it_is(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    _run("CREATE TABLE addresses (name)")(folder)
    (folder / "templates.db").chmod(0o600)
    before = bytes_on_disk(folder)
    with pytest.raises(UsageError, match="of another program"):
        new_store(folder)
    assert bytes_on_disk(folder) == before


def test_another_process_at_work(tmp_path):
    folder = tmp_path / "s"
    with filled(folder) as store, Store(folder, KEY, busy_timeout_s=0.05) as other:
        with store.transaction(), pytest.raises(DeviceError, match="another process holds it"):
            other.enrol("anna", b"x", 1)
        other.enrol("anna", b"x", 1)


def test_threads_and_processes_take_turns(tmp_path):
    folder = tmp_path / "s"

    def enrol(name: str) -> None:
        with new_store(folder) as store:
            threads = [
                threading.Thread(target=store.enrol, args=(f"{name}-{number}", b"x", 1))
                for number in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    children = []
    for name in ("a", "b", "c"):
        if (child := os.fork()) == 0:
            try:
                enrol(name)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    with Store(folder, KEY) as store:
        assert len(contents(store)) == 12


def test_a_read_only_folder(tmp_path):
    for path in (tmp_path, *tmp_path.parents):
        if path == Path(tempfile.gettempdir()):
            break
        path.chmod(0o755)  # pytest's own folders are closed to nobody
    folder = tmp_path / "s"
    filled(folder, anna=b"x").close()
    if os.geteuid() == 0:
        for path in (folder, folder / "templates.db"):
            os.chown(path, 65534, 65534)
    folder.chmod(0o500)
    (folder / "templates.db").chmod(0o400)
    with as_nobody(), pytest.raises(DeviceError, match=r"read-only|must be writable"):
        Store(folder, KEY)
    with as_nobody(), pytest.raises(DeviceError, match="cannot be opened: Permission denied"):
        new_store(folder / "inner")
    with pytest.raises(UsageError, match="missing: there is no such folder; make it"):
        new_store(tmp_path / "missing" / "store")
    folder.chmod(0o700)


def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        unavailable("mounting a small tmpfs needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=192k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        unavailable("this container may not mount a tmpfs")
    try:
        with new_store(disk / "s") as store:
            acknowledged = []
            with pytest.raises(DeviceError, match="the disk is full; free some space"):
                while True:
                    acknowledged.append(store.enrol("anna", some_bytes(5000), 1))
            assert list(store.enrolments()) == acknowledged
        with Store(disk / "s", KEY) as store:
            assert list(store.enrolments()) == acknowledged
            assert len(store.templates()) == len(acknowledged)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
