"""A service whose templates are protected: told apart as ever, revoked by a new number."""

import pytest
from running_kiosks import ANNA, BORIS, SAMPLES, Kiosk, another_capture, ask, enrol

from edge_vessel.biometrics import keys, store_commands
from edge_vessel.biometrics.protection import BYTES
from edge_vessel.biometrics.store import Store
from edge_vessel.kiosk import serve_command


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory) -> Kiosk:
    return Kiosk(tmp_path_factory.mktemp("protected"))


def flags(kiosk: Kiosk) -> list[str]:
    return ["--store", str(kiosk.store), "--key", str(kiosk.key)]


def test_life_of_a_protected_store(kiosk, tmp_path, capsys):
    with kiosk.serving("--templates", "protected") as client:
        device = client.get("/v1/device").json()
        assert (device["template_kind"], device["template_version"]) == ("protected", 1)
        kiosk.show(SAMPLES / ANNA)
        enrol(client, "anna")
        kiosk.show(another_capture(SAMPLES / ANNA, tmp_path))
        assert ask(client, "verify", "anna")["status"] == "match"
        found = ask(client, "identify")
        assert (found["status"], found["subject"]) == ("match", "anna")
        kiosk.show(SAMPLES / BORIS)
        for operation, subject in (("verify", "anna"), ("verify", "nobody"), ("identify", None)):
            assert ask(client, operation, subject)["status"] == "no_match"
        with Store(kiosk.store, keys.load(str(kiosk.key))) as store:
            assert [len(one.content) for one in store.templates()] == [BYTES]

        # While it runs: it goes on under the new key.
        assert store_commands.main(["renew", *flags(kiosk)]) == 0
        assert '"anna"' in capsys.readouterr().out
        assert client.get("/v1/subjects").json() == {"subjects": []}
        kiosk.show(SAMPLES / ANNA)
        assert ask(client, "verify", "anna")["status"] == "no_match"
        enrol(client, "anna")
        assert ask(client, "identify")["subject"] == "anna"
        assert client.get("/v1/audit").json()["faults"] == []


def serve(store: Kiosk, *more: str) -> int:
    camera = f"play:{SAMPLES}"
    return serve_command.main(["--camera", camera, "--bind", "127.0.0.1:0", *flags(store), *more])


def test_a_store_of_the_other_kind_is_refused(tmp_path, capsys):
    kiosk = Kiosk(tmp_path)
    key = keys.load(str(kiosk.key))
    with Store(kiosk.store, key, create=True) as store:
        store.enrol("anna", b"in the clear", 1)
    assert serve(kiosk, "--templates", "protected") == 2
    path = kiosk.store / "templates.db"
    assert capsys.readouterr().err == (
        f"error: {path}: holds templates in the clear of 1 subjects; to protect them: store delete "
        "each and enrol again, or name another --store\n"
    )
    with pytest.raises(SystemExit):
        serve(kiosk, "--templates", "secret")
    assert "choose from" in capsys.readouterr().err


def test_the_renewed_store_needs_no_flag(kiosk, capsys):
    assert serve(kiosk, "--templates", "clear") == 2
    assert "is of protected templates" in capsys.readouterr().err
    with kiosk.serving() as client:
        assert client.get("/v1/device").json()["template_kind"] == "protected"
    assert store_commands.main(["status", *flags(kiosk)]) == 0
    assert "template_kind   protected" in capsys.readouterr().out
