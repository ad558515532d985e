"""The unit as systemd reads it, and the runtime under its sandbox."""

import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import artifact_folders
import httpx
import pytest
from needs import unavailable
from sandbox import HEADER, allowed

from edge_vessel.biometrics import keys
from edge_vessel.biometrics.store import DEFAULT_FOLDER
from edge_vessel.kiosk import serve_command
from edge_vessel.kiosk.tokens import Tokens
from edge_vessel.run_options import parser
from edge_vessel.slots.layout import DEFAULT_ROOT
from edge_vessel.slots.trial_run import SelfTestLimits

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/edge-vessel.service"
KIOSK = ROOT / "deploy/systemd/edge-vessel-kiosk.service"
RULES = ROOT / "deploy/udev/70-edge-vessel.rules"
COMMAND = "/opt/edge-vessel/current/bin/edge-vessel"


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    return found or unavailable("no systemd-analyze: apt install systemd")


def settings(name: str, unit: Path = UNIT) -> list[str]:
    """The values of a setting, with continued lines joined."""
    text = unit.read_text().replace("\\\n", " ")
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("unit", [UNIT, KIOSK])
def test_its_exposure_is_below_2_5(unit, analyze):
    command = [analyze, "security", "--offline=true", "--threshold=25", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Overall exposure level for {unit.name}" in done.stdout


@pytest.mark.parametrize("unit", [UNIT, KIOSK])
@pytest.mark.parametrize("gpu", ["cuda", "opencl"])
def test_nor_does_a_gpu_open_it_further(unit, gpu, analyze, tmp_path):
    """Units and drop-in as install.sh lays them."""
    units = tmp_path / "etc/systemd/system"
    (units / f"{unit.name}.d").mkdir(parents=True)
    shutil.copy(unit, units)
    shutil.copy(unit.parent / f"gpu-{gpu}.conf", units / f"{unit.name}.d/gpu.conf")
    command = [analyze, "security", "--offline=true", "--threshold=25", "--no-pager"]
    command += [f"--root={tmp_path}", unit.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert f"Overall exposure level for {unit.name}" in done.stdout
    assert re.search("DeviceAllow= .*char-226:rw.* char-81:rw", done.stdout)
    assert "✗ MemoryDenyWriteExecute=" in done.stdout


def test_a_unit_that_is_open_fails_that_test(analyze, tmp_path):
    opened = tmp_path / "open.service"
    opened.write_text("[Service]\nExecStart=/bin/true\n")
    command = [analyze, "security", "--offline=true", "--threshold=25", "--no-pager", str(opened)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("unit", [UNIT, KIOSK])
def test_systemd_has_nothing_to_say_of_it(unit, analyze, tmp_path):
    """Beside where the runtime is installed, which a test has no business in."""
    text = unit.read_text()
    assert COMMAND in text
    copy = tmp_path / unit.name
    copy.write_text(text.replace(COMMAND, sys.executable))
    command = [analyze, "verify", "--man=no", str(copy)]
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


def test_the_kiosks_command_line_is_one_that_it_understands():
    (line,) = settings("ExecStart", KIOSK)
    words = shlex.split(line.replace("$EDGE_VESSEL_KIOSK_OPTIONS", "--queue 4"))
    assert words[:3] == [COMMAND, "kiosk", "serve"]
    options = serve_command.parser().parse_args(words[3:])
    assert (options.store, options.queue) == (DEFAULT_FOLDER, 4)
    assert str(options.store) == f"/var/lib/{settings('StateDirectory', KIOSK)[0]}"
    (credential,) = settings("LoadCredential", KIOSK)
    assert options.key == f"credential:{credential.partition(':')[0]}"
    assert settings("IPAddressAllow", KIOSK) == ["localhost"]


@pytest.mark.parametrize("unit", [UNIT, KIOSK])
def test_a_camera_that_is_plugged_in_after_the_start_may_be_opened(unit):
    """By its number: a class of devices without a driver has no name, and would be left out."""
    allowed_devices = settings("DeviceAllow", unit)
    assert "char-81 rw" in allowed_devices
    assert not [one for one in allowed_devices if "video4linux" in one]


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


def test_the_kiosk_works_in_its_sandbox(analyze, tmp_path):
    """It listens, opens store, model and camera, and ends in order."""
    if platform.machine() != "x86_64" or not HEADER.exists():
        unavailable("needs x86-64 and linux-libc-dev")
    tiny = artifact_folders.write(tmp_path / "tiny")
    key = tmp_path / "kiosk.key"
    keys.generate(key)
    token = Tokens(tmp_path / "tokens.json").add("door", "terminal")
    tmp_path.chmod(0o700)
    command = [sys.executable, str(Path(__file__).parent / "sandbox.py"), str(KIOSK)]
    command += [sys.executable, "-m", "edge_vessel.kiosk", "--camera", "synthetic:fps=20"]
    command += ["--model", str(tiny), "--allow-unsigned", "--store", str(tmp_path)]
    command += ["--key", str(key), "--bind", "127.0.0.1:0"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "prctl" in line:
            pytest.skip(f"an old kernel: {line}")
        if line.startswith("kiosk: "):
            break
    assert lines[-1].startswith("kiosk: "), lines
    url = lines[-1].removeprefix("kiosk: ").strip()
    body = {"nonce": "0" * 16, "timeout_s": 2.0}
    headers = {"Authorization": f"Bearer {token}"}
    result = httpx.post(f"{url}/v1/identify", json=body, headers=headers, timeout=60).json()
    process.terminate()
    process.communicate(timeout=60)
    assert (result["status"], process.returncode) == ("timeout", 0)


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
