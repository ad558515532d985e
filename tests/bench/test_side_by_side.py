"""The comparison with another engine: real engines, real processes."""

import json
from pathlib import Path

import pytest
from artifact_folders import python
from native_artifacts import WEIGHTS, compile_for

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


@pytest.mark.parametrize(
    ("also", "says"), [("a@two", "--also a@two: such as"), ("none", "none: no artifact")]
)
def test_a_wrong_artifact_is_one_line(also: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    done = python("-m", "bench.side_by_side", tmp_path, tmp_path / "m.onnx", "--also", also)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
