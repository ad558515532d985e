"""Meters on the kernel's own drivers: an INA226 by ina2xx, a battery by test_power.

Watts, joules and texts are judged, never the guest's time: emulation is slow.
"""

import json
from pathlib import Path

import pytest
from board import Board

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(2400)]

LIMIT_S = 300


def test_meters_on_the_kernels_own_drivers(board: Board, tmp_path: Path) -> None:
    code, output = board.run("python3 /mnt/ro/tests/board/guest_meters.py", tmp_path, LIMIT_S)
    assert code == 0, output
    facts: dict = {}
    for line in output.splitlines():
        if line.startswith("{"):
            facts.update(json.loads(line))

    assert facts["before"] == "none"
    assert (facts["name"], facts["kind"]) == ("ina226 (rail 1)", "measured")
    assert facts["power_w"] == pytest.approx(2.0, abs=0.02)

    energy = facts["inference"]
    assert energy["why"] is None
    assert energy["samples"] >= 10
    assert energy["missed"] == 0
    assert energy["mean_power_w"] == pytest.approx(9.0, abs=0.02)
    assert energy["energy_j"] == pytest.approx(9.0 * energy["duration_s"], rel=0.003)
    assert energy["above_idle_j"] == pytest.approx(7.0 * energy["duration_s"], rel=0.006)
    # 0.2 % of 9 W; 10 uV over the 10 mOhm that the driver itself tells, at 5 V; 7.5 mV at 1.8 A.
    uncertainty_w = energy["uncertainty_j"] / energy["duration_s"]
    assert uncertainty_w == pytest.approx(0.018 + 0.005 + 0.0135, rel=0.02)
    assert energy["before"]["hottest_c"] == 61.0
    assert 408 <= energy["before"]["frequencies_mhz"][0] <= 1800
    assert energy["during"]["hottest_c"] == 72.0
    assert energy["after"]["frequencies_mhz"][0] <= 600

    changing = facts["changing"]
    assert changing["min_power_w"] == pytest.approx(2.0, abs=0.02)
    assert changing["max_power_w"] == pytest.approx(9.0, abs=0.02)
    assert 2.5 < changing["mean_power_w"] < 8.5

    vanishing = facts["vanishing"]
    assert (vanishing["energy_j"], vanishing["mean_power_w"]) == (None, None)
    assert "power1_input: cannot be read: No such file" in vanishing["why"]

    assert "feeds the board and gives no power; unplug it" in facts["plugged_in"]
    assert "test_battery" in facts["battery"]
    assert facts["battery_w"] == pytest.approx(facts["expected_battery_w"])
