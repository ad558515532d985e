"""Raspberry Pi 5's power chip: a program in vcgencmd's place gives a recorded answer."""

import time
from pathlib import Path

import pytest

from edge_vessel import meters
from edge_vessel.errors import DeviceError
from edge_vessel.meters.pmic import parse_rails

# The form of a Raspberry Pi 5's answer, shortened to four rails and what has no current.
ANSWER = """\
   3V7_WL_SW_A current(0)=0.00585560A
     3V3_SYS_A current(1)=0.10000000A
    VDD_CORE_A current(7)=2.00000000A
     HDMI_A current(22)=0.01270940A
   3V7_WL_SW_V volt(8)=3.70000000V
     3V3_SYS_V volt(9)=3.30000000V
    VDD_CORE_V volt(15)=0.75000000V
       HDMI_V volt(23)=5.14000000V
      EXT5V_V volt(24)=5.15000000V
       BATT_V volt(25)=0.00000000V
"""
SUM_W = 0.0058556 * 3.7 + 0.1 * 3.3 + 2.0 * 0.75 + 0.0127094 * 5.14
PI4 = 'error=1 error_msg="Command not registered"'


def vcgencmd(root: Path, script: str) -> Path:
    command = root / "usr/bin/vcgencmd"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return command


def answering(root: Path, answer: str) -> None:
    vcgencmd(root, 'cat "$(dirname "$0")/answer"')
    (root / "usr/bin/answer").write_text(answer)


def test_the_rails_are_summed_and_named(tmp_path: Path) -> None:
    answering(tmp_path, ANSWER)
    meter = meters.find("auto", tmp_path)
    assert meter.kind == "measured"
    assert meter.name == "Raspberry Pi 5 PMIC (3V3_SYS, 3V7_WL_SW, HDMI, VDD_CORE)"
    assert "sees neither USB, HATs and fan on 5 V" in meter.accuracy
    assert meter.power_w() == pytest.approx(SUM_W)
    assert meter.uncertainty_w(3.0) is None
    assert meters.find("pmic:VDD_CORE", tmp_path).power_w() == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("answer", "rails"),
    [
        ("VDD_CORE_A current(7)=2.0A\nVDD_CORE_V volt(15)=0.75V", {"VDD_CORE": 1.5}),
        ("VDD_CORE_A current(7)=2.0A", {}),
        ("EXT5V_V volt(24)=5.15V", {}),
        ("VDD_CORE_A current(7)=nanA\nVDD_CORE_V volt(15)=0.75V", {}),
        ("VDD_CORE_A current(7)=-2.0A\nVDD_CORE_V volt(15)=0.75V", {}),
        ("VDD_CORE_A current(7)=99999.0A\nVDD_CORE_V volt(15)=0.75V", {}),
        ("\x1b[2J\n" * 1000, {}),
        ("", {}),
    ],
)
def test_an_answer(answer: str, rails: dict[str, float]) -> None:
    assert parse_rails(answer) == pytest.approx(rails)


def test_a_board_before_the_fifth_has_none(tmp_path: Path) -> None:
    vcgencmd(tmp_path, f"echo '{PI4}'; exit 1")
    assert meters.find("auto", tmp_path).kind == "none"
    with pytest.raises(DeviceError, match="--meter pmic: this machine has none; attach one"):
        meters.find("pmic", tmp_path)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'Can not open device file: /dev/vcio' >&2; exit 255",
         "exit code 255: Can not open device file: /dev/vcio; sudo usermod -aG video"),
        ("echo 'A_A current(0)=999.0A'; echo 'A_V volt(8)=999.0V'", "998001 W is no board's power"),
        ("echo garbage", "no rail with current and voltage; there are: none"),
        ("sleep 9", "no answer within 2 s"),
    ],
    ids=["closed", "a city's", "garbage", "hangs"],
)  # fmt: skip
def test_a_chip_that_gives_nothing(tmp_path: Path, script: str, says: str) -> None:
    vcgencmd(tmp_path, f"exec {script}" if script.startswith("sleep") else script)
    with pytest.raises(DeviceError, match=says):
        meters.find("pmic", tmp_path)
    assert meters.find("auto", tmp_path).kind == "none"


def test_a_command_that_goes_costs_the_joules(tmp_path: Path) -> None:
    answering(tmp_path, ANSWER)
    meter = meters.find("pmic", tmp_path)
    with meters.window("inference", meter, rate_hz=100, root=tmp_path) as window:
        (tmp_path / "usr/bin/vcgencmd").unlink()
    assert window.energy.energy_j is None
    assert "vcgencmd: cannot be run: No such file or directory" in str(window.energy.why)


def test_a_rail_that_is_not_there(tmp_path: Path) -> None:
    answering(tmp_path, ANSWER)
    with pytest.raises(DeviceError, match=r"no VDD_GPU .* there are: 3V7_WL_SW, 3V3_SYS"):
        meters.find("pmic:VDD_GPU", tmp_path)


def test_a_rail_that_goes_costs_the_joules(tmp_path: Path) -> None:
    answering(tmp_path, ANSWER)
    meter = meters.find("pmic", tmp_path)
    with meters.window("inference", meter, rate_hz=100, root=tmp_path) as window:
        time.sleep(0.4)
        answering(tmp_path, ANSWER.replace("HDMI_V", "HDMI_X"))
        time.sleep(0.05)
    assert window.energy.energy_j is None
    assert "HDMI is missing" in str(window.energy.why)
