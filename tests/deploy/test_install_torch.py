"""deploy/install-torch.sh: no gigabytes of CUDA where there is no GPU."""

import json
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "install-torch.sh"
PIP = """#!/bin/sh
case "$1" in
  show) [ -z "$INSTALLED" ] || echo "Version: $INSTALLED" ;;
  install) case "$*" in *--dry-run*) cat "$REPORT" ;; *) echo "$@" >> "$LOG" ;; esac ;;
esac
"""


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is an NVIDIA GPU here")
@pytest.mark.parametrize(
    ("packages", "environment", "code", "installs"),
    [
        (["torch", "sympy"], {}, 0, True),
        (["torch", "nvidia-cublas"], {}, 2, False),
        (["torch", "cuda-toolkit"], {}, 2, False),
        (["torch", "nvidia-cublas"], {"CUDA": "1"}, 0, True),
        (["torch", "nvidia-cublas"], {"INSTALLED": "2.13.0"}, 0, False),
        (["torch", "sympy"], {"INSTALLED": "2.12.1"}, 0, True),
    ],
)
def test_what_is_installed(tmp_path, packages, environment, code, installs):
    pip, report, log = (tmp_path / name for name in ("pip", "report.json", "log"))
    pip.write_text(PIP)
    pip.chmod(0o755)
    # the shape of `pip install --report`
    install = [{"metadata": {"metadata_version": "2.1", "name": name}} for name in packages]
    report.write_text(json.dumps({"version": "1", "install": install}, indent=1))
    base = {"INSTALLED": "", **os.environ, "PIP": str(pip), "REPORT": str(report), "LOG": str(log)}
    done = subprocess.run(
        ["sh", str(SCRIPT)],
        env={**base, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert log.exists() == installs
    if code:
        assert "PIP_EXTRA_INDEX_URL" in done.stderr
        assert len(done.stderr.splitlines()) == 1
