"""Raspberry Pi 5: the rails that its power management chip (DA9091) measures.

`vcgencmd pmic_read_adc` (Raspberry Pi documentation, "vcgencmd") gives current and voltage of each
rail behind the chip's converters. Their sum is measured, and less than what the board draws: the
converters' own losses and all that hangs on 5 V directly (USB, HATs, fan) do not pass through it.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from edge_vessel.errors import DeviceError
from edge_vessel.meters.base import Kind, Meter, Sample, plausible_w

_TIMEOUT_S = 2.0
_LINE = re.compile(
    r"^\s*([A-Z0-9_]{1,32})_([AV]) (?:current|volt)\([0-9]+\)=([0-9]{1,3}\.[0-9]{1,9})[AV]$"
)
_MOST_LINES = 100


class PmicMeter(Meter):
    """The sum of the rails that give current and voltage."""

    kind: Kind = "measured"
    accuracy = (
        "not known; sees neither USB, HATs and fan on 5 V nor the converters' losses: less than "
        "the board draws"
    )
    # Each reading starts a process, which itself costs power.
    rate_hz = 5.0

    def __init__(self, command: str, part: str = "") -> None:
        """`command` is the path of vcgencmd; `part` asks for one rail, such as "VDD_CORE".

        Raises:
            DeviceError: it gives no such rail.
        """
        self._command = command
        self._part = part
        self._rails = sorted(self._read())
        self.name = f"Raspberry Pi 5 PMIC ({', '.join(self._rails)})"

    def sample(self) -> Sample:
        """See `Meter.sample`."""
        before_s = time.monotonic()
        rails = self._read()
        missing = [rail for rail in self._rails if rail not in rails]
        if missing:
            raise DeviceError(f"{self._command} pmic_read_adc: {missing[0]} is missing; ask again")
        power_w = plausible_w(sum(rails.values()), f"{self._command} pmic_read_adc")
        return Sample((before_s + time.monotonic()) / 2, power_w)

    def _read(self) -> dict[str, float]:
        rails = parse_rails(_ask(self._command))
        chosen = {rail: watts for rail, watts in rails.items() if self._part in {"", rail}}
        if not chosen:
            known = ", ".join(rails) or "none"
            raise DeviceError(
                f"{self._command} pmic_read_adc: no {self._part or 'rail'} with current and "
                f"voltage; there are: {known}"
            )
        return chosen


def find(root: Path, part: str = "") -> PmicMeter | None:
    """The chip's meter; None on a board without vcgencmd, or whose chip measures nothing.

    Raises:
        DeviceError: vcgencmd may not ask the firmware, or the chip has no rail `part`, or says
            what cannot be.
    """
    folders = os.pathsep.join(str(root / folder) for folder in ("usr/bin", "opt/vc/bin"))
    command = shutil.which("vcgencmd", path=folders)
    if command is None:
        return None
    # Raspberry Pi 4 and before: error=1 error_msg="Command not registered".
    if "not registered" in _ask(command):
        return None
    meter = PmicMeter(command, part)
    meter.sample()
    return meter


def parse_rails(answer: str) -> dict[str, float]:
    """Watts of each rail of which the answer gives both current and voltage."""
    found: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for line in answer.splitlines()[:_MOST_LINES]:
        match = _LINE.match(line.rstrip())
        if match:
            found[match[2]][match[1]] = float(match[3])
    amperes, volts = found["A"], found["V"]
    return {rail: amperes[rail] * volts[rail] for rail in amperes if rail in volts}


def _ask(command: str) -> str:
    try:
        done = subprocess.run(
            [command, "pmic_read_adc"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        text = f"{command} pmic_read_adc: no answer within {_TIMEOUT_S:g} s; restart the board"
        raise DeviceError(text) from error
    except OSError as error:
        text = f"{command}: cannot be run: {error.strerror}; install vcgencmd again"
        raise DeviceError(text) from error
    # Without access to /dev/vcio or /dev/vchiq it says so and ends with 255.
    if done.returncode and "registered" not in done.stdout + done.stderr:
        said = " ".join((done.stderr or done.stdout).split())[:100]
        step = "sudo usermod -aG video $USER, then log in again"
        raise DeviceError(f"{command} pmic_read_adc: exit code {done.returncode}: {said}; {step}")
    return done.stdout + done.stderr
