"""Half a file of coverage costs its own lines, and not the run."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import coverage
import pytest
from coverage_files import discard_unreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a whole data file of a process, `.coverage.whole`."""
    (tmp_path / "module.py").write_text("x = 1\n")
    subprocess.run(
        [sys.executable, "-m", "coverage", "run", "--rcfile=/dev/null", "module.py"],
        cwd=tmp_path,
        env={"COVERAGE_FILE": ".coverage.whole"},
        check=True,
    )
    return tmp_path


def _with_path(file: Path, value: str) -> None:
    database = sqlite3.connect(file)
    with database:
        database.execute(f"UPDATE file SET path = {value}")
    database.close()


def test_half_files_go_and_whole_ones_stay(folder: Path) -> None:
    whole = folder / ".coverage.whole"
    content = whole.read_bytes()
    (folder / ".coverage.empty").touch()
    (folder / ".coverage.text").write_text("data")
    (folder / ".coverage.half").write_bytes(content[: len(content) // 2])
    for name, value in {"null": "NULL", "bytes": "CAST(x'ff2f' AS TEXT)"}.items():
        shutil.copy(whole, folder / f".coverage.{name}")
        _with_path(folder / f".coverage.{name}", value)
    assert set(discard_unreadable(folder)) == {
        f".coverage.{name}" for name in ("empty", "text", "half", "null", "bytes")
    }
    assert whole.read_bytes() == content
    coverage.Coverage(data_file=str(folder / ".coverage"), config_file=False).combine()
    combined = coverage.CoverageData(str(folder / ".coverage"))
    combined.read()
    assert [Path(name).name for name in combined.measured_files()] == ["module.py"]


def test_without_the_sweep_one_of_them_ends_the_combination(folder: Path) -> None:
    _with_path(folder / ".coverage.whole", "NULL")
    measured = coverage.Coverage(data_file=str(folder / ".coverage"), config_file=False)
    with pytest.raises(coverage.exceptions.DataError, match="user-defined function"):
        measured.combine()
