"""What the tests need from outside: the data sets, tools, the emulated board."""

import os
import tempfile
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from coverage_files import discard_unreadable
from needs import unavailable

# Minutes each: they begin first, so that no core waits for one of them at the end.
LONGEST = ["test_board_life.py", "test_board_native.py", "test_bundle.py", "test_push.py"]
LONGEST += ["test_fit.py", "test_tuning.py", "test_native.py", "test_precision.py"]
SAMPLES = Path(__file__).parent.parent / "samples"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", help="folder of the fundus data sets (or EDGE_VESSEL_DATA)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest itself goes by folder and name, whatever the order of its arguments."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.hookimpl(wrapper=True, trylast=True)  # within pytest-cov's, which combines after it
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    outcome = yield
    config = session.config
    if config.pluginmanager.hasplugin("_cov") and not hasattr(config, "workerinput"):
        for name in discard_unreadable(config.rootpath):
            warnings.warn(f"{name}: half a file of coverage; discarded", stacklevel=1)
    return outcome


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


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of root's that every user reaches, as pytest's own are not."""
    if os.geteuid() != 0:
        unavailable("giving a folder away takes root")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
