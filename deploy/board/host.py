"""Programs of this machine that make and run the board."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge_vessel.command_line import printable
from edge_vessel.errors import DeviceError, UsageError


def need(packages: dict[str, str]) -> None:
    """`packages` by the program or file that each brings.

    Raises:
        UsageError: some are missing; named together.
    """
    # Where an ordinary user's PATH does not lead.
    places = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    missing = [
        package
        for name, package in packages.items()
        if not (Path(name).exists() if "/" in name else shutil.which(name, path=places))
    ]
    if missing:
        raise UsageError(f"the emulated board lacks {missing[0]}: apt install {' '.join(missing)}")


def call(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> str:
    """Runs a program to its end; what it printed.

    Raises:
        DeviceError: it failed; told is its last line.
    """
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        said = printable((lines or [f"exit code {done.returncode}"])[-1])
        raise DeviceError(f"{command[0]}: {said}")
    return done.stdout
