"""What a running kiosk remembers of its store, and when it forgets it."""

import artifact_folders
import pytest
from biometric_stores import new_store
from drawn_eyes import eye, seen

from edge_vessel.artifact import open_artifact
from edge_vessel.biometrics import renewal
from edge_vessel.biometrics.similarity import Similarity
from edge_vessel.biometrics.store import Store
from edge_vessel.kiosk.recognition import Recognition
from edge_vessel.segmenter import Segmenter

AGAIN = seen(eye(0), Similarity(1.0, 0.02 - 0.01j))


@pytest.fixture
def store(tmp_path):
    """Of protected templates."""
    with new_store(tmp_path / "store") as store:
        renewal.settle(store, "protected")
        yield store


def test_rows_of_before_a_renewal_that_are_put_back_are_nobody_s(store: Store, tmp_path) -> None:
    """Byte by byte as they were, so that the gallery that is remembered looks like theirs."""
    tiny = artifact_folders.write(tmp_path / "tiny")
    recognition = Recognition(Segmenter(open_artifact(tiny, (), allow_unsigned=True)), store)
    assert recognition.enrol("anna", [eye(0)])
    assert recognition.identify(AGAIN) == "anna"
    with store.transaction() as connection:
        rows = connection.execute("SELECT * FROM templates").fetchall()
    renewal.renew(store)
    with store.transaction() as connection:
        connection.executemany("INSERT INTO templates VALUES (?, ?, ?, ?, ?)", rows)
    assert recognition.identify(AGAIN) is None
    assert not recognition.matches("anna", AGAIN)
