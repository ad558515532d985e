"""The comparison with another engine: real engines, real processes."""

import json
from pathlib import Path

import pytest
from artifact_folders import python
from native_artifacts import WEIGHTS, compile_for

from bench.side_by_side import _other

pytestmark = pytest.mark.slow


def export(path: Path, size: int) -> Path:
    done = python(
        "-W", "ignore", "-m", "compile.export", WEIGHTS, "-o", path, "--size", str(size)
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return path


def test_it_compares_only_what_computes_the_same(tmp_path: Path) -> None:
    assert compile_for("x86_64", tmp_path / "a", 96).returncode == 0
    same = export(tmp_path / "same.onnx", 96)
    report = tmp_path / "report.json"
    done = python(
        "-m", "bench.side_by_side", tmp_path / "a", same, "--rounds", "3", "--json", report,
        "--threads", "2", "--also", f"{tmp_path / 'a'}@1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    rows = {row["engine"]: row for row in found["engines"]}
    assert found["kind"] == "measured"
    assert rows["edge_vessel"]["ratio"] == [1.0, 1.0, 1.0]
    assert rows["onnxruntime"]["median_ms"] > 0
    assert rows["a@1"]["median_ms"] > 0
    assert rows["edge_vessel"]["peak_rss_mb"] > 20
    assert "onnxruntime" in done.stdout

    other = tmp_path / "other.onnx"
    other.write_bytes(same.read_bytes()[:1000])
    done = python("-m", "bench.side_by_side", tmp_path / "a", other, "--rounds", "1")
    assert done.returncode == 2
    assert "onnxruntime: ended with exit code" in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--also", "a@two"), "--also a@two: such as"),
        (("--also", "none"), "none: no artifact"),
        (("--also", "{folder}", "--also", "{folder}"), "given twice"),
        (("--also", "{folder}@99"), "threads 99: from 1 to"),
        (("--threads", "0"), "threads 0: from 1 to"),
        (("--rounds", "0"), "rounds 0: at least 1"),
        (("--json", "none/r.json"), "none/r.json: no such folder"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    more: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text('{"model": {"precision": "fp32"}}')
    (tmp_path / "m.onnx").write_bytes(b"")
    done = python(
        "-m", "bench.side_by_side", tmp_path, tmp_path / "m.onnx",
        *(one.format(folder=tmp_path) for one in more),
    )  # fmt: skip
    assert done.returncode == 2
    assert says in done.stderr
    # What is not installed is named too.
    assert len([line for line in done.stderr.splitlines() if "left out" not in line]) == 1


def test_a_folder_may_have_an_at_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "x@y"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    assert _other(str(folder), 2) == (folder, 2)
    assert _other(f"{folder}@1", 2) == (folder, 1)
