"""What root's commands do in a store whose folder is the service's user's."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from owned_folders import SERVICE, give, give_all, owners

from edge_vessel.biometrics import audit_commands, keys, store_commands
from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.store import Store


@pytest.fixture
def flags(place: Path) -> list[str]:
    """Of a store with anna and bert, in a folder of the service's user; the key is root's."""
    keys.generate(place / "key")
    (place / "service").mkdir(mode=0o755)
    with Store(place / "service/store", keys.load(str(place / "key")), create=True) as store:
        for subject in ("anna", "bert"):
            store.enrol(subject, b"x" * 100, 1)
        Audit(store).append("started", "ok")
    give_all(place / "service")
    return ["--store", str(place / "service/store"), "--key", str(place / "key")]


def test_all_that_root_writes_is_the_owners(place: Path, flags: list[str], capsys) -> None:
    assert store_commands.main(["keygen", str(place / "next")]) == 0
    assert store_commands.main(["keygen", str(place / "service/kept.key")]) == 0
    (place / "service/store/audit.jsonl").unlink()
    capsys.readouterr()
    assert audit_commands.main(["restart", *flags]) == 0
    assert store_commands.main(["delete", "anna", *flags]) == 0
    (place / "receipt").write_text(capsys.readouterr().out.partition("\n")[2])
    (place / "receipt").chmod(0o600)
    assert store_commands.main(["check-receipt", str(place / "receipt"), *flags]) == 0
    assert store_commands.main(["rotate", "--new-key", str(place / "next"), *flags]) == 0
    flags[-1] = str(place / "next")
    capsys.readouterr()
    assert store_commands.main(["status", "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out)["subjects"] == 1
    assert (place / "next").stat().st_uid == 0
    assert owners(place / "service") == {(SERVICE, SERVICE)}
    files = (each.stat() for each in (place / "service/store").iterdir())
    assert {stat.S_IMODE(each.st_mode) for each in files} == {0o600}


def _elsewhere(place: Path) -> None:
    """The folder above the store has become a link to one of root's that holds a store."""
    (place / "service").rename(place / "moved")
    (place / "service").symlink_to(place / "roots")
    give(place / "service", SERVICE)


def _audit(place: Path) -> None:
    """The audit file has become a link."""
    (place / "service/store/audit.jsonl").unlink()
    (place / "service/store/audit.jsonl").symlink_to(place / "roots/file")


@pytest.mark.parametrize("plant", [_elsewhere, _audit])
@pytest.mark.parametrize(
    "command", [(store_commands, ["delete", "anna"]), (audit_commands, ["restart"])]
)
def test_a_link_leads_root_nowhere(
    plant: Callable[[Path], None], command, place: Path, flags: list[str], capsys
) -> None:
    (place / "roots").mkdir(mode=0o700)
    with Store(place / "roots/store", keys.load(flags[-1]), create=True) as store:
        store.enrol("anna", b"x" * 100, 1)
    (place / "roots/file").write_bytes(b"root's own\n")
    plant(place)
    before = {each: each.read_bytes() for each in (place / "roots").rglob("*") if each.is_file()}
    module, words = command
    code = module.main([*words, *flags])
    said = capsys.readouterr().err
    assert code in (0, 3), said
    assert "Traceback" not in said
    after = {each: each.read_bytes() for each in (place / "roots").rglob("*") if each.is_file()}
    assert after == before
    assert owners(place / "roots") == {(0, 0)}
