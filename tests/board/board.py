"""The emulated ARM board: its image, made once and cached, and commands run on it."""

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import coverage

REPOSITORY = Path(__file__).parents[2]
# What mkimage.sh accepts; Debian 12 has glibc 2.36, so that none of these is too new for it.
_TAGS = ("2_28", "2_27", "2_24", "2_17", "2_5")
_MAKE_TIMEOUT_S = 1800
_GRACE_S = 60


class Board:
    """An emulated board with two cores; each `run` boots it anew from the same image.

    `scripts` is the folder with boot.sh and mkimage.sh; `cache` holds wheels and image.
    """

    def __init__(self, scripts: Path, cache: Path) -> None:
        self._scripts = scripts
        self._cache = cache
        self._image = cache / "image"

    def prepare(self) -> None:
        """Makes the image, or takes the cached one when its wheels and scripts are the same."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            stamp = self._cache / "stamp"
            key = self._key()
            if stamp.exists() and stamp.read_text() == key:
                return
            stamp.unlink(missing_ok=True)
            wheels = self._download_wheels()
            _check([str(self._scripts / "mkimage.sh"), str(wheels), str(self._image)])
            stamp.write_text(key)

    def run(
        self, command: str, share: Path, timeout_s: float, cpu: str = "cortex-a72"
    ) -> tuple[int, str]:
        """Boots, runs one bash command, powers off: its exit code and its output.

        The command's working folder is `share`, which the board may write; this repository is
        mounted read-only at /mnt/ro and stands in PYTHONPATH. Exit code 124 is the time limit in
        seconds of the host, 125 a board that never answered.
        """
        environment = "export PYTHONPATH=/mnt/ro PYTHONDONTWRITEBYTECODE=1;"
        measuring = coverage.Coverage.current()
        if measuring is not None:
            (share / "coverage").mkdir(exist_ok=True)
            environment += "export COVERAGE_PROCESS_START=/mnt/ro/pyproject.toml "
            environment += "COVERAGE_FILE=/mnt/host/coverage/data;"
        arguments = [str(self._scripts / "boot.sh"), "-i", str(self._image), "-s", str(share)]
        arguments += ["-r", str(REPOSITORY), "-t", f"{timeout_s:.0f}", "-C", cpu, "--"]
        finished = subprocess.run(
            [*arguments, f"{environment} {command}"],
            capture_output=True,
            text=True,
            timeout=timeout_s + _GRACE_S,
            check=False,
        )
        if measuring is not None:
            own = Path(measuring.config.data_file)
            for number, file in enumerate(sorted((share / "coverage").iterdir())):
                shutil.copy(file, own.with_name(f".coverage.board.{share.name}.{number}"))
        return finished.returncode, finished.stdout + finished.stderr

    def _key(self) -> str:
        content = "\n".join(_pinned()) + (self._scripts / "mkimage.sh").read_text()
        for source in sorted((self._scripts / "src").iterdir()):
            content += source.read_text()
        return hashlib.sha256(content.encode()).hexdigest()

    def _download_wheels(self) -> Path:
        wheels = self._cache / "wheels"
        shutil.rmtree(wheels, ignore_errors=True)
        arguments = [sys.executable, "-m", "pip", "-q", "download", "--only-binary=:all:"]
        for tag in _TAGS:
            arguments += ["--platform", f"manylinux_{tag}_aarch64"]
        arguments += ["--platform", "manylinux2014_aarch64", "--python-version", "3.11"]
        _check([*arguments, "--implementation", "cp", "--dest", str(wheels), *_pinned()])
        return wheels


def _pinned() -> list[str]:
    """The package's own dependencies, and coverage, in the versions that are installed here."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=!~\[; ]", text)[0] for text in project["dependencies"]]
    return [f"{name}=={version(name)}" for name in [*names, "coverage"]]


def _check(arguments: list[str]) -> None:
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=_MAKE_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
