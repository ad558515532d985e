"""The wheels of a bundle: our own, its dependencies at locked versions, and pip itself."""

import email.parser
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from deploy.targets import BoardTarget
from edge_vessel.errors import UsageError

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "constraints.txt"
# The board's own pip may be missing (Debian packs it apart) or too old for the wheels' tags.
PIP = "pip==26.1"


@dataclass(frozen=True)
class Wheel:
    """A wheel; `licence` is what its metadata says, None for nothing."""

    path: Path
    name: str
    version: str
    licence: str | None
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Wheel":
        """Reads its metadata."""
        name, version, _, _ = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            (inside,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
            text = archive.read(inside).decode()
        about = email.parser.HeaderParser().parsestr(text)
        licence = about.get("License-Expression") or about.get("License")
        first = (licence or "").strip().partition("\n")[0]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(path, str(name), str(version), first or None, digest)

    @property
    def unpacked_bytes(self) -> int:
        """On the board's disk."""
        with zipfile.ZipFile(self.path) as archive:
            return sum(one.file_size for one in archive.infolist())


def collect(
    target: BoardTarget, python: str, epoch: int, sources: Path, folder: Path, kiosk: bool
) -> list[Wheel]:
    """Builds and downloads into `folder`; by name.

    Args:
        target: of the board.
        python: its version, such as "3.11".
        epoch: seconds since 1970, the time of every file in our own wheel.
        sources: of our own wheel.
        folder: to be made.
        kiosk: with the wheels of the extra of that name.

    Raises:
        UsageError: pip finds no wheel, or one that is not locked.
    """
    # The build's own packages are locked too: pip takes them from this variable alone.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PIP_CONSTRAINT": str(LOCK)}
    _pip(["wheel", "--no-deps", "--wheel-dir", str(folder), str(sources)], environment)
    (own,) = folder.glob("*.whl")
    download = ["download", "--only-binary=:all:", "--implementation", "cp"]
    download += ["--python-version", python, "--constraint", str(LOCK), "--dest", str(folder)]
    for platform in target.platforms:
        download += ["--platform", platform]
    _pip([*download, f"{own}[kiosk]" if kiosk else str(own), PIP], environment)
    found = sorted((Wheel.of(path) for path in folder.glob("*.whl")), key=lambda one: one.name)
    _check_locked(found)
    return found


def _pip(arguments: Sequence[str], environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise UsageError(f"pip {arguments[0]}: {(said or ['failed'])[-1].removeprefix('ERROR: ')}")


def _check_locked(wheels: Sequence[Wheel]) -> None:
    """Two bundles of one revision hold the same versions, or none is made."""
    lines = (line.partition("==") for line in LOCK.read_text().splitlines())
    locked = {canonicalize_name(name): version for name, _, version in lines if version}
    locked[canonicalize_name(PIP.partition("==")[0])] = PIP.partition("==")[2]
    for wheel in wheels:
        name = canonicalize_name(wheel.name)
        if name != "edge-vessel" and locked.get(name) != wheel.version:
            raise UsageError(
                f"{LOCK.name}: does not lock {wheel.name} {wheel.version}: add "
                f"{wheel.name}=={wheel.version}"
            )
