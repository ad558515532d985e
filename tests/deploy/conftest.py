"""A signed bundle for this machine."""

from pathlib import Path

import pytest
from artifact_folders import write
from worlds import bundle

from edge_vessel import signing


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return signing.generate(tmp_path_factory.mktemp("keys") / "maker")


@pytest.fixture(scope="session")
def artifact(keys: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts") / "tiny"
    return write(folder, signing.load_private_key(keys[0]))


@pytest.fixture(scope="session")
def made(artifact: Path, keys: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle for this machine, with the kiosk."""
    folder = tmp_path_factory.mktemp("bundle")
    return bundle(folder / "b.tar", artifact, keys, "x86_64", "--kiosk")
