"""How `python -m compile` ends, as a process: the other tests call what it calls."""

from pathlib import Path

from artifact_folders import python


def test_a_wrong_call_ends_with_its_code(tmp_path: Path) -> None:
    done = python(
        "-W", "ignore", "-m", "compile", tmp_path / "none.ckpt", "-o", tmp_path / "a",
        "--evaluation", "none.json", "--golden", "none.png",
    )  # fmt: skip
    assert done.returncode == 2
    assert "none.ckpt" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
