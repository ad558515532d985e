"""Calls that cannot be meant, refused before anything is built."""

from pathlib import Path

import pytest
from native_artifacts import compile_for


@pytest.mark.parametrize(
    ("target", "more", "says"),
    [
        ("x86_64", ("--gpu-runtime", "none.so"), "--gpu-runtime goes with a --target of OpenCL"),
        ("x86_64-opencl", ("--threads", "7"), "threads 7: code for a GPU is launched by one"),
        ("x86_64", ("--threads", "100000"), "threads 100000: from 1 to 1024"),
        ("x86_64", ("--threads", "0"), "threads 0: from 1 to 1024"),
        ("x86_64", ("--size", "²"), "such as 544, or 2336x3504"),
    ],
)
def test_refused(target: str, more: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = compile_for(target, tmp_path / "a", 96, *more)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]
    assert not (tmp_path / "a").exists()
