"""What root's commands do where the kiosk's folder is the service's user's."""

from pathlib import Path

import pytest
from owned_folders import SERVICE, give, owners

from edge_vessel.biometrics import keys
from edge_vessel.kiosk import serve_command, token_command


@pytest.fixture
def service(place: Path) -> Path:
    """A folder of the service's user."""
    (place / "service").mkdir()
    return give(place / "service", SERVICE)


def test_tokens_are_the_owners_whose_service_reads_them(service: Path, capsys) -> None:
    store = ["--store", str(service / "kiosk")]
    assert token_command.main(["add", "desk", "--role", "operator", *store]) == 0
    assert token_command.main(["add", "door", "--role", "terminal", *store]) == 0
    assert token_command.main(["remove", "desk", *store]) == 0
    capsys.readouterr()
    assert token_command.main(["list", *store]) == 0
    assert "door" in capsys.readouterr().out
    assert owners(service) == {(SERVICE, SERVICE)}
    assert (service / "kiosk/tokens.json").stat().st_mode & 0o777 == 0o600


def test_a_link_leads_root_nowhere(place: Path, service: Path, capsys) -> None:
    """The service's user has put one to a folder of root's where the kiosk's was."""
    (place / "roots").mkdir()
    (service / "kiosk").symlink_to(place / "roots")
    for store in (service / "kiosk", service / "kiosk/new"):
        words = ["add", "desk", "--role", "operator", "--store", str(store)]
        assert token_command.main(words) == 3
        said = capsys.readouterr().err
        assert "Permission denied" in said
        assert said.count("\n") == 1
    assert list((place / "roots").iterdir()) == []


def test_root_serves_no_folder_of_another(place: Path, service: Path, capsys) -> None:
    keys.generate(place / "key")
    words = ["--camera", "play:eye", "--store", str(service), "--key", str(place / "key")]
    assert serve_command.main(words) == 2
    assert f"{service}: is user {SERVICE}'s: serve as that user" in capsys.readouterr().err
    assert list(service.iterdir()) == []
