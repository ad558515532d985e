"""What the tests need from outside: the data sets, tools, the emulated board."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import unavailable

SAMPLES = Path(__file__).parent.parent / "samples"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", help="folder of the fundus data sets (or EDGE_VESSEL_DATA)")


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """What a test leaves in the environment, as Lightning its seed, reaches no other test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def data(request: pytest.FixtureRequest) -> Path:
    """The folder that holds DRIVE, CHASE_DB1 and HRF."""
    name = request.config.getoption("--data") or os.environ.get("EDGE_VESSEL_DATA")
    if not name or not (Path(name) / "DRIVE").is_dir():
        unavailable("no fundus data: name their folder with --data or EDGE_VESSEL_DATA")
    return Path(name)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The repository's own photographs."""
    return SAMPLES
