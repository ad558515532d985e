"""A store is of one kind of templates; a new renewal number revokes all protected ones."""

import contextlib
import json
import os
import sqlite3

import pytest
from biometric_stores import KEY, OTHER_KEY, bytes_on_disk, new_store, older_store
from drawn_eyes import eye

from edge_vessel.biometrics import audit_commands, keys, renewal, store_commands
from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.audit_verify import verify
from edge_vessel.biometrics.protected_matcher import compare
from edge_vessel.biometrics.protection import parse, protect
from edge_vessel.biometrics.receipt import parse as parse_receipt
from edge_vessel.biometrics.store import Store
from edge_vessel.errors import DeviceError, UsageError


@pytest.fixture
def store(tmp_path):
    """Of protected templates: anna has two, bert one."""
    with new_store(tmp_path / "s") as store:
        renewal.settle(store, "protected")
        for number, subject in enumerate(("anna", "anna", "bert")):
            store.enrol(subject, protect(eye(number), renewal.key_of(store)).to_bytes(), 1)
        yield store


def number_of(store: Store) -> bytes:
    with contextlib.closing(sqlite3.connect(store.database.path)) as connection:
        return connection.execute("SELECT renewal FROM store").fetchone()[0]


def test_a_new_store_is_of_templates_in_the_clear_until_it_is_told_otherwise(tmp_path):
    with new_store(tmp_path / "s") as store:
        assert (renewal.kind_of(store), renewal.key_of(store)) == ("clear", None)
        renewal.settle(store, "clear")
        assert renewal.kind_of(store) == "clear"
        renewal.settle(store, "protected")
        key = renewal.key_of(store)
        renewal.settle(store, "protected")
        assert renewal.key_of(store) == key
        with pytest.raises(UsageError, match="is of protected templates; serve it without"):
            renewal.settle(store, "clear")


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_store_in_the_clear_is_not_opened_as_protected(tmp_path, monkeypatch, steps):
    older_store(tmp_path / "s", monkeypatch, steps)
    with Store(tmp_path / "s", KEY) as store:
        said = "holds templates in the clear of 1 subjects; to protect them: store delete each"
        with pytest.raises(UsageError, match=said):
            renewal.settle(store, "protected")
        with pytest.raises(UsageError, match="in the clear, which nothing revokes"):
            renewal.renew(store)
        assert renewal.kind_of(store) == "clear"
        assert [one.subject for one in store.enrolments()] == ["anna"]
        store.delete("anna")
        renewal.settle(store, "protected")


def test_rotation_of_the_store_s_key_revokes_nothing(store):
    key = renewal.key_of(store)
    store.rotate(OTHER_KEY)
    assert renewal.key_of(store) == key
    kept = parse(store.templates("bert")[0].content)
    assert compare(eye(2), kept, renewal.key_of(store)) > 0


def test_renewal_revokes_forgets_and_gives_receipts(tmp_path, store):
    key, number = renewal.key_of(store), number_of(store)
    protected = store.templates("bert")[0].content
    receipts = renewal.renew(store)
    assert [(one.subject, len(one.template_ids)) for one in receipts] == [("anna", 2), ("bert", 1)]
    assert all(store.issued(one) for one in receipts)
    assert store.enrolments() == ()
    assert number not in bytes_on_disk(tmp_path / "s")
    assert renewal.kind_of(store) == "protected"
    assert renewal.key_of(store) != key
    with pytest.raises(UsageError, match="revoked, or another subject's; enrol again"):
        compare(eye(2), parse(protected), renewal.key_of(store))
    assert renewal.renew(store) == ()


@pytest.mark.parametrize("step", ["purge", "purge_after_commit"])
def test_a_renewal_that_is_cut_short_is_whole_or_none(tmp_path, store, step):
    """Killed after its commit, and before."""
    number, folder = number_of(store), tmp_path / "s"
    store.close()
    if (child := os.fork()) == 0:
        killed = Store(folder, KEY)
        setattr(killed.database, step, lambda: os._exit(0))
        renewal.renew(killed)
    assert os.waitpid(child, 0)[1] == 0
    with Store(folder, KEY) as again:
        left = len(again.enrolments()), number in bytes_on_disk(folder)
        assert left == ((0, False) if step == "purge" else (3, True))
        audit = Audit(again)
        audit.append("started", "ok")
        head, content = audit.snapshot()
        assert verify(content, head, audit.key).faults == ()


def test_a_damaged_number_is_told_with_its_file(store):
    with contextlib.closing(sqlite3.connect(store.database.path)) as connection, connection:
        connection.execute("UPDATE store SET renewal = x'00'")
    for call in (renewal.kind_of, renewal.key_of, renewal.renew):
        with pytest.raises(DeviceError, match=r"\.db: is damaged .*has 1 bytes, not 16.*backup"):
            call(store)


def test_two_stores_have_two_keys_with_one_number(tmp_path):
    keys_of = []
    for name in ("a", "b"):
        with new_store(tmp_path / name) as store:
            with store.transaction() as connection:
                connection.execute("UPDATE store SET renewal = ?", (b"0123456789abcdef",))
            keys_of.append(renewal.key_of(store))
    assert keys_of[0] != keys_of[1]


def test_the_command(tmp_path, capsys):
    keys.generate(tmp_path / "key")
    flags = ["--store", str(tmp_path / "s"), "--key", str(tmp_path / "key")]
    with Store(tmp_path / "s", keys.load(flags[3]), create=True) as store:
        renewal.settle(store, "protected")
        for subject in ("anna", "bert"):
            store.enrol(subject, b"x", 1)
            Audit(store).append("enrol", "enrolled", subject)
    assert store_commands.main(["renew", *flags]) == 0
    told = capsys.readouterr()
    assert told.err == "2 subjects removed; they have to be enrolled again\n"
    receipts = [parse_receipt(line.encode()) for line in told.out.splitlines()]
    assert [one.subject for one in receipts] == ["anna", "bert"]
    for line in told.out.splitlines():
        (tmp_path / "receipt").write_text(line)
        assert store_commands.main(["check-receipt", str(tmp_path / "receipt"), *flags]) == 0
    capsys.readouterr()
    assert audit_commands.main(["verify", *flags]) == 0
    assert ": 5 lines, all in their place" in capsys.readouterr().out
    lines = map(json.loads, (tmp_path / "s" / "audit.jsonl").read_text().splitlines())
    assert [(one["event"], one["result"]) for one in lines][2:] == [
        ("renew", "ok"), ("delete", "renewed"), ("delete", "renewed"),
    ]  # fmt: skip
    assert store_commands.main(["status", *flags, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["template_kind"] == "protected"
    Store(tmp_path / "clear", keys.load(flags[3]), create=True).close()
    assert store_commands.main(["renew", "--store", str(tmp_path / "clear"), *flags[2:]]) == 2
    assert capsys.readouterr().err.count("\n") == 1
