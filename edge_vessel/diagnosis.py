"""What this board has, checked one thing after another: what `doctor` prints.

Modules that a broken installation may fail to load are imported inside the checks.
"""

import contextlib
import errno
import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_vessel import meters
from edge_vessel.board import Board
from edge_vessel.errors import ArtifactError, DeviceError, EdgeVesselError

_REQUIRED = ("numpy", "opencv-python-headless", "onnxruntime", "psutil", "cryptography", "rich")
_OPTIONAL = ("pygame-ce",)
# The Raspberry Pi slows down from 80 degrees on, Rockchip's usual trip points start at 70 to 85.
_WARM_C = 75.0
_SCARCE_MEMORY_MB = 512
_SCARCE_DISK_MB = 1024
_MB = 1024 * 1024


@dataclass(frozen=True)
class Check:
    """One line. `next_step` is None where there is none; `exit_code` is 0 but for "fail"."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    next_step: str | None = None
    exit_code: int = 0


@dataclass(frozen=True)
class Wanted:
    """What the main job would be run with; `model` None is the default artifact."""

    model: Path | None = None
    trusted_keys: tuple[Path, ...] = ()
    allow_unsigned: bool = False
    threads: int | None = None
    meter: str = "auto"


def diagnose(board: Board, wanted: Wanted) -> list[Check]:
    """All checks, in the order in which they are read; raises nothing foreseeable."""
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("board", lambda: _board(board)),
        ("cores", lambda: _cores(board)),
        ("temperature", lambda: _temperature(board)),
        ("throttling", lambda: _throttling(board)),
        ("memory", lambda: _memory(board)),
        ("disk", _disk),
        ("packages", _packages),
        ("cameras", _cameras),
        ("engines", _engines),
        ("meter", lambda: _meter(wanted)),
        ("artifact", lambda: _artifact(wanted)),
    ]
    return [_guarded(name, check) for name, check in checks]


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except EdgeVesselError as error:
        return Check(name, "fail", str(error), exit_code=error.exit_code)
    except (ImportError, OSError) as error:
        step = "install again: pip install --force-reinstall edge-vessel"
        reason = " ".join(str(error).split()) or type(error).__name__
        return Check(name, "fail", reason, step, DeviceError.exit_code)


def _board(board: Board) -> Check:
    # The last compatible string of a device tree names the SoC.
    soc = f", {board.compatible[-1]}" if board.compatible else ""
    detail = f"{board.model}{soc}; {board.os}; Linux {board.kernel} {platform.machine()}"
    return Check("board", "ok", detail)


def _cores(board: Board) -> Check:
    ranges = sorted({(c.min_mhz, c.max_mhz) for c in board.cores if c.min_mhz and c.max_mhz})
    speeds = ", ".join(f"{low:.0f} to {high:.0f} MHz" for low, high in ranges)
    governors = ", ".join(sorted({core.governor for core in board.cores if core.governor}))
    detail = f"{board.cpu}; {speeds or 'speed unknown'}; governor {governors or 'unknown'}"
    # On x86 "powersave" is the name of a governor that does speed up.
    if "powersave" in governors and board.compatible:
        step = "echo schedutil | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
        return Check("cores", "warn", f"{detail}: held at the lowest speed", step)
    return Check("cores", "ok", detail)


def _temperature(board: Board) -> Check:
    hottest = board.hottest_c
    if hottest is None:
        return Check("temperature", "ok", "no sensor")
    detail = ", ".join(f"{zone.name} {zone.celsius:.0f} °C" for zone in board.zones)
    if hottest >= _WARM_C:
        return Check("temperature", "warn", detail, "add a heat sink or a fan: it will slow down")
    return Check("temperature", "ok", detail)


def _throttling(board: Board) -> Check:
    flags = (*board.slowed, *(f for f in board.throttle or () if f not in board.slowed))
    if not flags:
        reports = board.throttle is not None or board.cooling
        return Check("throttling", "ok", "none" if reports else "the board does not report it")
    volts = any("under-voltage" in flag for flag in flags)
    step = "use the board's own power supply and a short cable" if volts else "cool the board"
    return Check("throttling", "warn", ", ".join(flags), step)


def _memory(board: Board) -> Check:
    total, free = board.memory_bytes // _MB, board.available_bytes // _MB
    detail = f"{free} of {total} MB available; load {board.load_1min:.2f}"
    if free < _SCARCE_MEMORY_MB:
        return Check("memory", "warn", detail, "stop other programs, or choose a smaller model")
    return Check("memory", "ok", detail)


def _disk() -> Check:
    here = Path.cwd()
    free = shutil.disk_usage(here).free // _MB
    detail = f"{free} MB free in {here}"
    if free < _SCARCE_DISK_MB:
        return Check("disk", "warn", detail, "free some, or write elsewhere with --output")
    return Check("disk", "ok", detail)


def _packages() -> Check:
    versions = {name: _version(name) for name in (*_REQUIRED, *_OPTIONAL)}
    present = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    missing = [name for name in _REQUIRED if not versions[name]]
    detail = f"edge-vessel {_own_version()}, Python {platform.python_version()}, {present}"
    if missing:
        step = f"pip install {' '.join(missing)}"
        return Check("packages", "fail", f"missing: {', '.join(missing)}", step, 3)
    return Check("packages", "ok", detail)


def _cameras() -> Check:
    from edge_vessel.sources.camera_list import list_cameras

    cameras = list_cameras()
    if cameras:
        return Check("cameras", "ok", ", ".join(f"{c.path} {c.card}" for c in cameras))
    closed = [str(path) for path in _video_nodes() if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        step = "sudo usermod -aG video $USER, then log in again"
        return Check("cameras", "warn", f"{', '.join(closed)}: {os.strerror(errno.EACCES)}", step)
    return Check("cameras", "warn", "none", "plug one in, or use --input with files")


def _engines() -> Check:
    from edge_vessel.engines import ENGINES

    known = (f"{name} {getattr(engine, 'version', '')}" for name, engine in ENGINES.items())
    return Check("engines", "ok", ", ".join(text.strip() for text in known))


def _meter(wanted: Wanted) -> Check:
    with contextlib.closing(meters.find(wanted.meter)) as meter:
        if isinstance(meter, meters.NullMeter):
            what, _, step = meter.why.partition(": ")
            return Check("meter", "warn", what, step)
        detail = f"{meter.name}, {meter.kind}, {meter.power_w():.2f} W; accuracy {meter.accuracy}"
    return Check("meter", "ok", detail)


def _artifact(wanted: Wanted) -> Check:
    from edge_vessel import models, selftest, signing
    from edge_vessel.artifact import open_artifact
    from edge_vessel.engines import choose_threads

    path = models.resolve(wanted.model)
    if wanted.model is None and not path.exists():
        raise ArtifactError(f"{path}: the default artifact is missing: name one with --model")
    trusted = signing.trusted_keys(wanted.trusted_keys)
    artifact = open_artifact(path, trusted, wanted.allow_unsigned)
    manifest = artifact.manifest
    threads = choose_threads(artifact, wanted.threads)
    test = selftest.run_selftest(artifact, threads)
    detail = (
        f"{manifest.name} version {manifest.version}, {artifact.trust}; {manifest.engine.name}, "
        f"{threads} threads, {test.inference_ms:.0f} ms for one image"
    )
    if not test.passed:
        raise ArtifactError(
            f"{artifact.folder}: the self-test is off by {test.max_abs_difference:.2g}: use an "
            "artifact built for this machine"
        )
    if artifact.warning:
        return Check("artifact", "warn", detail, "sign it: python -m edge_vessel.artifact sign")
    return Check("artifact", "ok", detail)


def _video_nodes() -> Iterable[Path]:
    return Path("/dev").glob("video[0-9]*")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _own_version() -> str:
    from edge_vessel import __version__

    return __version__
