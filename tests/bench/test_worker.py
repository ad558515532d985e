"""A measuring process whose libraries are loud, or hang."""

import os
from pathlib import Path

import pytest
from artifact_folders import ROOT, write

from bench import worker
from bench.worker import Task, Worker
from edge_vessel.errors import DeviceError, UsageError

# What a native library does, in every Python that finds this on its path.
LOUD = """
import os
from edge_vessel.segmenter import Segmenter
quiet = Segmenter.segment
def segment(self, image):
    os.write(1, b"a banner on stdout\\n")
    os.write(2, b"a warning\\n" * 20_000)
    return quiet(self, image)
Segmenter.segment = segment
"""
HANGS = """
import time
from edge_vessel.segmenter import Segmenter
Segmenter.segment = lambda self, image: time.sleep(3600)
"""


def _task(tmp_path: Path, image: str = "samples/chase_db1_07L.jpg") -> Task:
    folder = write(tmp_path / "tiny")
    cores = tuple(os.sched_getaffinity(0))
    return Task(str(folder), (), True, 1, cores, str(ROOT / image))


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
    return folder / "sitecustomize.py"


def test_loud_libraries_neither_block_nor_answer(tmp_path: Path, library: Path) -> None:
    library.write_text(LOUD)
    found = Worker(_task(tmp_path))
    try:
        assert len(found.run(runs=3)) == 3
        assert len(found.run(seconds=0.0)) == 1
        assert found.end() > 40
    finally:
        found.stop()


def test_the_fault_is_found_among_warnings(tmp_path: Path, library: Path) -> None:
    library.write_text(LOUD + "import atexit\natexit.register(os.write, 2, b'bye\\n')\n")
    with pytest.raises(UsageError, match=r"README.md: not an image"):
        Worker(_task(tmp_path, "README.md"))


def test_one_that_hangs_is_given_up(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.write_text(HANGS)
    monkeypatch.setattr(worker, "PATIENCE_S", 1.0)
    with pytest.raises(DeviceError, match="gave no answer in 1 s"):
        Worker(_task(tmp_path))
