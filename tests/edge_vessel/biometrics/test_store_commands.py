"""The store's and the audit file's commands as their users call them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_vessel.biometrics import audit_commands, keys, store_commands
from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.store import Store


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Of a store with two templates of anna and one of bert."""
    keys.generate(tmp_path / "key")
    with Store(tmp_path / "s", keys.load(str(tmp_path / "key")), create=True) as store:
        for subject in ("anna", "anna", "bert"):
            store.enrol(subject, b"x" * 100, 1)
            Audit(store).append("enrol", "ok", subject)
    return ["--store", str(tmp_path / "s"), "--key", str(tmp_path / "key")]


def test_as_modules(tmp_path, flags):
    def python(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", f"edge_vessel.biometrics.{module}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = python("store", "status", "--json", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "store": str(tmp_path / "s"),
        "schema_version": 3,
        "template_kind": "clear",
        "subjects": 2,
        "templates": 3,
    }
    done = python("audit", "verify", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 's' / 'audit.jsonl'}: 3 lines, all in their place\n"


def test_list_and_status(flags, capsys):
    assert store_commands.main(["list", "--json", *flags]) == 0
    rows = json.loads(capsys.readouterr().out)["enrolments"]
    assert [row["subject"] for row in rows] == ["anna", "anna", "bert"]
    assert set(rows[0]) == {"subject", "template_id", "version", "enrolled_at"}
    assert store_commands.main(["list", *flags]) == 0
    assert rows[0]["template_id"] in capsys.readouterr().out
    assert store_commands.main(["status", *flags]) == 0
    assert "templates       3" in capsys.readouterr().out


def test_delete_and_its_receipt(tmp_path, flags, capsys):
    assert store_commands.main(["delete", "anna", *flags]) == 0
    document = capsys.readouterr().out
    assert len(json.loads(document)["template_ids"]) == 2
    receipt = tmp_path / "receipt.json"
    receipt.write_text(document)
    assert store_commands.main(["check-receipt", str(receipt), *flags]) == 0
    assert capsys.readouterr().out.startswith("genuine: 2 templates of anna removed at 20")
    receipt.write_text(document.replace('"anna"', '"bert"'))
    assert store_commands.main(["check-receipt", str(receipt), *flags]) == 2
    assert "is not this store's, or was changed" in capsys.readouterr().err
    receipt.write_text("{}")
    assert store_commands.main(["check-receipt", str(receipt), *flags]) == 2
    assert "is no receipt: subject: is missing" in capsys.readouterr().err
    assert store_commands.main(["delete", "anna", *flags]) == 2
    assert capsys.readouterr().err == "error: anna: is not enrolled; see: store list\n"
    assert audit_commands.main(["verify", "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out)["lines"] == 4
    with pytest.raises(SystemExit) as ended:
        store_commands.main(["delete", "../anna", *flags])
    assert ended.value.code == 2


def test_rotate(tmp_path, flags, capsys):
    new = tmp_path / "new"
    assert store_commands.main(["keygen", str(new)]) == 0
    assert store_commands.main(["rotate", "--new-key", str(new), *flags]) == 0
    assert "3 templates sealed anew" in capsys.readouterr().out
    assert store_commands.main(["status", *flags]) == 2
    assert "the key is not this store's" in capsys.readouterr().err
    flags[-1] = str(new)
    assert store_commands.main(["status", *flags]) == 0
    assert audit_commands.main(["verify", *flags]) == 0
    assert "4 lines" in capsys.readouterr().out


def test_a_missing_key_or_store_creates_nothing(tmp_path, flags, capsys):
    for wrong in (
        ["--store", str(tmp_path / "none"), *flags[2:]],
        [*flags[:2], "--key", str(tmp_path / "none")],
    ):
        assert store_commands.main(["status", *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_audit_of_a_copy_and_restart(tmp_path, flags, capsys):
    file = tmp_path / "s" / "audit.jsonl"
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(file.read_bytes().replace(b'"ok"', b'"no"', 1))
    assert audit_commands.main(["verify", str(copy), *flags]) == 3
    assert capsys.readouterr().err == (
        f"error: {copy}: line 1 changed; keep the file, then: audit restart\n"
    )
    assert audit_commands.main(["verify", "--json", str(copy), *flags]) == 3
    assert json.loads(capsys.readouterr().out)["faults"] == [{"finding": "changed", "seq": 1}]
    with file.open("ab") as torn:
        torn.write(b'{"seq":4,')
    assert audit_commands.main(["verify", *flags]) == 0
    assert "3 lines, all in their place; a torn one at the end" in capsys.readouterr().out
    file.unlink()
    assert audit_commands.main(["verify", *flags]) == 3
    assert "line 1 cut, line 2 cut, line 3 cut" in capsys.readouterr().err
    assert audit_commands.main(["restart", *flags]) == 0
    assert audit_commands.main(["verify", *flags]) == 0
    assert "1 lines, all in their place" in capsys.readouterr().out
