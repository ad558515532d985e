"""The unit as systemd reads it, and the runtime under its sandbox."""

import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import artifact_folders
import pytest
from needs import unavailable
from sandbox import HEADER, allowed

from edge_vessel.run_options import parser
from edge_vessel.slots.layout import DEFAULT_ROOT
from edge_vessel.slots.trial_run import SelfTestLimits

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/edge-vessel.service"
RULES = ROOT / "deploy/udev/70-edge-vessel.rules"
COMMAND = "/opt/edge-vessel/current/bin/edge-vessel"


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    return found or unavailable("no systemd-analyze: apt install systemd")


def settings(name: str) -> list[str]:
    """The values of a setting, with continued lines joined."""
    text = UNIT.read_text().replace("\\\n", " ")
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def test_its_exposure_is_below_2_5(analyze):
    command = [analyze, "security", "--offline=true", "--threshold=25", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level for edge-vessel.service" in done.stdout


def test_a_unit_that_is_open_fails_that_test(analyze, tmp_path):
    opened = tmp_path / "open.service"
    opened.write_text("[Service]\nExecStart=/bin/true\n")
    command = [analyze, "security", "--offline=true", "--threshold=25", "--no-pager", str(opened)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_systemd_has_nothing_to_say_of_it(analyze, tmp_path):
    """Beside where the runtime is installed, which a test has no business in."""
    unit = tmp_path / UNIT.name
    text = UNIT.read_text()
    assert COMMAND in text
    unit.write_text(text.replace(COMMAND, sys.executable))
    command = [analyze, "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_its_command_line_is_one_that_run_understands():
    (line,) = settings("ExecStart")
    words = shlex.split(line.replace("$EDGE_VESSEL_OPTIONS", "--save mask"))
    assert words[:2] == [COMMAND, "run"]
    options = parser().parse_args(words[2:])
    assert options.slots == DEFAULT_ROOT
    assert options.camera == "${EDGE_VESSEL_CAMERA}"
    assert (options.camera_timeout, options.jsonl, options.jsonl_every) == (0, "-", 60)
    assert str(options.metrics).startswith("/run/edge-vessel/")


def test_the_self_test_has_the_memory_of_the_service():
    assert settings("MemoryMax") == [f"{SelfTestLimits().memory_mb // 1024}G"]


def test_the_udev_rule_names_the_camera_of_the_unit():
    (rule,) = (line for line in RULES.read_text().splitlines() if not line.startswith("#"))
    keys = dict(re.findall(r'([A-Z]+(?:\{\w+\})?)(?:==|\+=|=)"([^"]*)"(?:, |$)', rule))
    assert ", ".join(keys) == re.sub(r'(==|\+=|=)"[^"]*"', "", rule)
    assert f"EDGE_VESSEL_CAMERA=/dev/{keys['SYMLINK']}" in settings("Environment")
    assert keys["GROUP"] == settings("SupplementaryGroups")[0]


def test_the_runtime_works_in_the_sandbox(analyze, tmp_path):
    if platform.machine() != "x86_64" or not HEADER.exists():
        unavailable("needs x86-64 and linux-libc-dev")
    tiny = artifact_folders.write(tmp_path / "tiny")
    assert "reboot" not in allowed(UNIT)
    sandbox = [sys.executable, str(Path(__file__).parent / "sandbox.py"), str(UNIT)]
    run = ["-m", "edge_vessel.run", "--input", "synthetic:fps=20", "--max-frames", "3"]
    run += ["--model", str(tiny), "--allow-unsigned", "--jsonl", "-", "--jsonl-every", "60"]
    done = subprocess.run(
        [*sandbox, sys.executable, *run, "--metrics", str(tmp_path / "x.prom")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "prctl" in done.stderr:
        pytest.skip(f"an old kernel: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert '"processed":3' in done.stdout


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("import os; os.chroot('/')", "PermissionError"),
        ("import mmap; mmap.mmap(-1, 4096, prot=7)", "PermissionError"),
        ("import os; os.sched_setaffinity(0, os.sched_getaffinity(0))", ""),
    ],
)
def test_the_sandbox_of_these_tests_is_one(code, refused, analyze):
    if platform.machine() != "x86_64" or not HEADER.exists():
        unavailable("needs x86-64 and linux-libc-dev")
    sandbox = [sys.executable, str(Path(__file__).parent / "sandbox.py"), str(UNIT)]
    done = subprocess.run(
        [*sandbox, sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if "prctl" in done.stderr:
        pytest.skip(f"an old kernel: {done.stderr.splitlines()[-1]}")
    assert refused in done.stderr
    assert (done.returncode == 0) == (not refused)
