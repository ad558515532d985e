"""Inputs that are not square, from the command to the mask."""

import argparse
import json
from pathlib import Path

import pytest
from artifact_folders import python
from native_artifacts import GOLDEN, REPORT, WEIGHTS, compile_for

from compile.size import Size, parse_size
from edge_vessel.artifact import open_artifact

HEIGHT, WIDTH = 160, 256


@pytest.mark.parametrize(
    ("text", "expected"), [("544", Size(544, 544)), ("2336x3504", Size(2336, 3504))]
)
def test_sizes(text: str, expected: Size) -> None:
    assert parse_size(text) == expected
    assert parse_size(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "1x2x3", "544x", "9000", "5.5", "a"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_size(text)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["x86_64", None])
def test_a_rectangle_segments_a_photograph(target: str | None, tmp_path: Path) -> None:
    folder, out = tmp_path / "wide", tmp_path / "out"
    if target is None:
        done = python(
            "-W", "ignore", "-m", "compile", WEIGHTS, "--evaluation", REPORT, "--golden", GOLDEN,
            "--size", f"{HEIGHT}x{WIDTH}", "-o", folder,
        )  # fmt: skip
    else:
        done = compile_for(target, folder, f"{HEIGHT}x{WIDTH}")
    assert done.returncode == 0, done.stderr
    manifest = open_artifact(folder, (), allow_unsigned=True).manifest
    assert (manifest.input.height, manifest.input.width) == (HEIGHT, WIDTH)
    done = python("-m", "edge_vessel.artifact", "verify", "--allow-unsigned", "--json", folder)
    assert json.loads(done.stdout)["selftest"]["passed"] is True
    done = python(
        "-m", "edge_vessel.run", "--model", folder, "--allow-unsigned", "--input", GOLDEN,
        "--output", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 segmented" in done.stderr + done.stdout


def test_a_size_that_the_network_cannot_take(tmp_path: Path) -> None:
    done = compile_for("x86_64", tmp_path / "a", "160x252")
    assert done.returncode == 2
    assert "size 160x252: must be a multiple of 16" in done.stderr
