"""ONNX Runtime writes an identifier of this machine and reports its use; not here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "module", ["edge_vessel.engines.onnx", "edge_vessel.octa.engine", "compile.golden"]
)
def test_onnx_runtime_is_loaded_in_silence(module: str, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("XDG_CACHE_HOME", None)
    subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, check=True)
    assert not list(tmp_path.rglob(".ses")), "the file of a session that is reported"
    assert not list(tmp_path.rglob("Microsoft"))
