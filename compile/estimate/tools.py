"""The programs of other packages that an estimate needs."""

import shutil
import subprocess
from pathlib import Path

from edge_vessel.errors import DeviceError, UsageError

# Debian's. Plugins need the dynamic QEMU of qemu-user: that of qemu-user-static loads none.
_PACKAGES = {
    "gcc": "gcc libc6-dev",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "qemu-aarch64": "qemu-user",
}


def check(llvm: str) -> None:
    """Raises UsageError where a program is missing; names the packages.

    Args:
        llvm: suffix of LLVM's programs and package, such as "-19".
    """
    wanted = _PACKAGES | {f"{name}{llvm}": f"llvm{llvm}" for name in ("llvm-mc", "llvm-mca")}
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(wanted[name] for name in missing))
        raise UsageError(f"an estimate needs {', '.join(missing)}: apt-get install {packages}")


def call(command: list[str], folder: Path, text: str | None = None) -> str:
    """Standard output of `command`, run in `folder` with `text` as its input.

    Raises:
        DeviceError: it failed; with the line that says why, or the last one.
    """
    done = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr.strip() or "without a word").splitlines()
        why = next((line for line in lines if "error" in line or "undefined" in line), lines[-1])
        raise DeviceError(f"estimate: {command[0]} ended with {done.returncode}: {why}")
    return done.stdout
