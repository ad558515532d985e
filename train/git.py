"""Which state of the sources made a figure."""

import subprocess
from pathlib import Path


def git_revision() -> str:
    """`git describe` of the checkout, "unknown" outside one."""
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()
