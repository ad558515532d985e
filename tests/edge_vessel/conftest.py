"""Fixtures of several files here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from artifact_folders import write

from edge_vessel.sinks.mjpeg import MjpegSink


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unsigned artifact that loads at once."""
    return write(tmp_path_factory.mktemp("artifact") / "tiny")


@pytest.fixture
def sink() -> Iterator[MjpegSink]:
    """A preview on loopback, open to whoever is on this machine."""
    sink = MjpegSink("127.0.0.1", 0)
    yield sink
    sink.close()
