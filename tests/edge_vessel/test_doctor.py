import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from artifact_folders import python, write

from edge_vessel.board import Board, Core, ThermalZone
from edge_vessel.diagnosis import Check, Wanted, diagnose

NAMES = [
    "board", "cores", "temperature", "throttling", "memory", "disk", "packages", "cameras",
    "engines", "meter", "artifact",
]  # fmt: skip

GB = 1024**3
PI = Board(
    model="Raspberry Pi 4 Model B Rev 1.4",
    compatible=("raspberrypi,4-model-b", "brcm,bcm2711"),
    cpu="4x Cortex-A72",
    cores=tuple(Core(n, "Cortex-A72", 0, 600.0, 1800.0, "ondemand") for n in range(4)),
    zones=(ThermalZone("cpu-thermal", 55.0),),
    cooling=(),
    throttle=(),
    memory_bytes=4 * GB,
    available_bytes=3 * GB,
    load_1min=0.1,
    kernel="6.6.31",
    os="Debian GNU/Linux 12 (bookworm)",
)
SLOW = tuple(replace(core, governor="powersave") for core in PI.cores)


def doctor(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = python("-m", "edge_vessel.doctor", "--json", *arguments)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    document = json.loads(line)
    assert document["exit_code"] == done.returncode
    return done.returncode, document


def check(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (item for item in document["checks"] if item["name"] == name)
    return dict(found)


def test_the_main_job_can_run_with_a_sound_artifact(tmp_path: Path) -> None:
    folder = write(tmp_path / "tiny")
    code, document = doctor("--model", folder, "--allow-unsigned")
    assert code == 0
    assert [item["name"] for item in document["checks"]] == NAMES
    assert "tiny-16 version 1, unsigned; onnx, 1 threads" in check(document, "artifact")["detail"]
    assert check(document, "artifact")["status"] == "warn"
    assert "onnx" in check(document, "engines")["detail"]
    assert document["board"]["cores"]


@pytest.mark.parametrize(
    ("damage", "code", "says"),
    [
        ("unsigned", 4, "manifest"),
        ("model", 4, "model.onnx"),
        ("golden", 4, "golden.npz"),
        ("missing", 2, "no such artifact"),
    ],
)
def test_what_is_wrong_with_the_artifact(tmp_path: Path, damage: str, code: int, says: str) -> None:
    folder = tmp_path / "tiny"
    flags = [] if damage == "unsigned" else ["--allow-unsigned"]
    if damage in {"model", "golden"}:
        write(folder, **{damage: b"not what it should be"})
    elif damage == "unsigned":
        write(folder)
    got, document = doctor("--model", folder, *flags)
    assert got == code
    artifact = check(document, "artifact")
    assert artifact["status"] == "fail"
    assert says in artifact["detail"]


def test_the_table_for_people(tmp_path: Path) -> None:
    folder = write(tmp_path / "tiny")
    done = python("-m", "edge_vessel.doctor", "--model", folder, "--allow-unsigned")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "the main job can run"
    shown = [line.split()[1] for line in lines[:-1] if not line.startswith(" ")]
    assert shown == NAMES
    assert "\x1b" not in done.stdout


def test_a_broken_engine_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = write(tmp_path / "tiny")
    script = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from edge_vessel.doctor import main\n"
        f"sys.exit(main(['--json', '--allow-unsigned', '--model', {str(folder)!r}]))"
    )
    done = python("-c", script)
    assert "Traceback" not in done.stderr
    document = json.loads(done.stdout)
    assert done.returncode == 3
    for name in ("engines", "artifact"):
        assert check(document, name)["status"] == "fail"
        assert "onnxruntime" in check(document, name)["detail"]
        assert "pip install" in check(document, name)["next_step"]
    assert check(document, "memory")["status"] != "fail"


@pytest.mark.parametrize(
    ("spec", "status", "detail", "step"),
    [
        ("none", "warn", "no meter", "switched off by --meter none"),
        ("serial:/dev/ttyNONE", "fail", "/dev/ttyNONE: no such port; see ls /dev/serial", None),
        ("watts", "fail", "--meter 'watts': unknown", None),
    ],
)
def test_a_meter_that_was_named(spec: str, status: str, detail: str, step: str | None) -> None:
    wanted = Wanted(Path("/no/such/artifact"), meter=spec)
    found = {item.name: item for item in diagnose(PI, wanted)}["meter"]
    assert found.status == status
    assert found.detail.startswith(detail)
    assert (found.next_step or "").startswith(step or "")


@pytest.mark.parametrize("arguments", [["--threads", "0"], ["--nonsense"]], ids=str)
def test_wrong_flags(arguments: list[str]) -> None:
    done = python("-m", "edge_vessel.doctor", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("board", "name", "status", "says"),
    [
        (PI, "board", "ok", "Raspberry Pi 4 Model B Rev 1.4, brcm,bcm2711"),
        (PI, "cores", "ok", "4x Cortex-A72; 600 to 1800 MHz; governor ondemand"),
        (replace(PI, cores=SLOW), "cores", "warn", "powersave"),
        (replace(PI, cores=SLOW, compatible=()), "cores", "ok", "powersave"),
        (PI, "temperature", "ok", "cpu-thermal 55 °C"),
        (replace(PI, zones=()), "temperature", "ok", "no sensor"),
        (replace(PI, zones=(ThermalZone("cpu", 81.0),)), "temperature", "warn", "81"),
        (PI, "throttling", "ok", "none"),
        (replace(PI, throttle=None), "throttling", "ok", "does not report"),
        (replace(PI, throttle=("under-voltage",)), "throttling", "warn", "under-voltage"),
        (replace(PI, throttle=("throttling has occurred",)), "throttling", "warn", "has occurred"),
        (PI, "memory", "ok", "3072 of 4096 MB"),
        (replace(PI, available_bytes=GB // 4), "memory", "warn", "256 of 4096 MB"),
    ],
)
def test_readings_and_what_follows(board: Board, name: str, status: str, says: str) -> None:
    found: dict[str, Check] = {
        item.name: item for item in diagnose(board, Wanted(Path("/no/such/artifact")))
    }
    assert found[name].status == status
    assert says in found[name].detail
    assert (found[name].next_step is not None) == (status == "warn")
