"""`python -m deploy board test`: what a board lives through, from bundle to power cut.

The steps themselves run on the board: guest/life.py.
"""

import contextlib
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.board.boot import CORTEX_A72, Machine, Outcome, copy_disk, run
from deploy.board.image import PYTHON, Image
from deploy.board.kernel import GUEST
from deploy.bundle import bundle
from deploy.wheels import ROOT
from edge_vessel import artifact as artifacts
from edge_vessel import models, signing
from edge_vessel.atomic import write_file
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.segmenter import Segmenter
from edge_vessel.sources.images import read_image

MODEL = "m2unet-fundus-544"
_EYE = ROOT / "samples/chase_db1_07L.jpg"
# With an observer's label, and with this machine's own map of the picture's best JPEG.
_LEAST_DICE, _LEAST_DICE_OF_OWN = 0.75, 0.95
_BOOT_TIMEOUT_S = 2400


@dataclass(frozen=True)
class Given:
    """What the caller brings; None for what the test makes itself.

    Attributes:
        eye: what the camera shows; a sample photograph.
        label: its vessels; what this machine segments.
    """

    bundle: Path | None
    eye: Path | None
    label: Path | None


@dataclass(frozen=True)
class Step:
    """One of the report; `fault` None where it went well."""

    name: str
    seconds: float
    detail: str
    fault: str | None


@dataclass(frozen=True)
class Power:
    """Of the run, as the board's meter told it."""

    kind: str
    mean_power_w: float | None
    energy_j: float | None
    duration_s: float


@dataclass(frozen=True)
class Report:
    """The JSON document. Seconds are those of the emulation, and say nothing of a board's."""

    kind: str
    cpu: str
    bundle: str
    steps: tuple[Step, ...]
    dice: float | None
    power: Power | None
    exit_code: int


def test(image: Image, given: Given, output: Path | None, as_json: bool) -> int:
    """Lives it through, prints each step as it ends, writes the report; returns the exit code.

    Raises:
        UsageError: a file that was given.
        DeviceError: the board went down, or does not answer.
    """
    # The disk's copy alone takes hundreds of megabytes.
    with tempfile.TemporaryDirectory(prefix="edge-vessel-life-") as temporary:
        share = Path(temporary) / "share"
        _prepare(Path(temporary), share, given)
        steps = _Steps(share, quiet=as_json)
        machine = Machine(systemd=True, disk=copy_disk(image, Path(temporary) / "disk"))
        outcome = _live("before", image, share, machine, steps)
        dice = _dice(share, given) if (share / "maps").is_dir() else None
        if outcome.exit_code is None:
            outcome = _live("after", image, share, machine, steps)
        least = _LEAST_DICE_OF_OWN if given.label is None else _LEAST_DICE
        if dice is not None:
            beside = "this machine's own map" if given.label is None else "the label"
            fault = None if dice >= least else f"below {least}"
            steps.add(Step("the masks agree", 0.0, f"Dice {dice:.4f} with {beside}", fault))
        failed = outcome.exit_code != 0 or any(one.fault for one in steps.all)
        report = Report(
            "emulated",
            CORTEX_A72,
            "made here" if given.bundle is None else given.bundle.name,
            tuple(steps.all),
            dice,
            _power(share),
            DeviceError.exit_code if failed else 0,
        )
    text = json.dumps(asdict(report), indent=1) + "\n"
    if output is not None:
        write_file(output, text.encode())
    if as_json:
        sys.stdout.write(text)
    return report.exit_code


class _Steps:
    """What the board tells, line by line, while it runs."""

    def __init__(self, share: Path, quiet: bool) -> None:
        self._file = share / "steps.jsonl"
        self._file.touch()
        self._read_bytes = 0
        self._quiet = quiet
        self.all: list[Step] = []

    def follow(self) -> None:
        """Takes what has come since."""
        with self._file.open() as file:
            file.seek(self._read_bytes)
            for line in file:
                if line.endswith("\n"):
                    self._read_bytes += len(line.encode())
                    self.add(Step(**json.loads(line)))

    def add(self, step: Step) -> None:
        """Prints it, too."""
        self.all.append(step)
        if not self._quiet:
            verdict = "ok  " if step.fault is None else "FAIL"
            beside = step.fault or step.detail
            sys.stdout.write(f"{step.seconds:7.1f} s  {verdict}  {step.name:56}  {beside}\n")
            sys.stdout.flush()


def _live(part: str, image: Image, share: Path, machine: Machine, steps: _Steps) -> Outcome:
    command = f"python3 life.py {part}"
    outcome = run(image, command, share, _BOOT_TIMEOUT_S, machine, watch=steps.follow)
    steps.follow()
    if outcome.exit_code and not any(one.fault for one in steps.all):
        raise DeviceError(f"the emulated board: life.py {part}: {outcome.output.strip()[-500:]}")
    return outcome


def _prepare(work: Path, share: Path, given: Given) -> None:
    """Bundle, pictures, keys and artifacts, as the board finds them in its share."""
    share.mkdir()
    for name in ("life.py", "steps.py"):
        shutil.copy(GUEST / name, share)
    keys = {name: signing.generate(work / name) for name in ("maker", "other", "owner")}
    for name in ("other", "owner"):
        shutil.copy(keys[name][1], share / f"{name}.pub.pem")
    if given.bundle is None:
        shutil.copy(keys["maker"][1], share / "maker.pub.pem")
        arguments = ["--target", "rk3399", "--python", PYTHON, "--artifact", MODEL]
        arguments += ["--key", str(keys["maker"][0]), "-o", str(share / "bundle.tar")]
        with contextlib.redirect_stdout(sys.stderr):
            bundle(arguments)
    elif given.bundle.is_file():
        shutil.copy(given.bundle, share / "bundle.tar")
    else:
        raise UsageError(f"{given.bundle}: no such file")
    (share / "images").mkdir()
    image = read_image(given.eye or _EYE)
    if given.label is not None and read_image(given.label).shape != image.shape:
        raise UsageError(f"{given.label}: is not as large as {given.eye}: name that eye's label")
    even = image[:, : image.shape[1] // 2 * 2, ::-1]  # as YUV pictures are
    # A camera that sends one picture again and again is taken for one that hangs.
    for number, quality in enumerate((100, 98, 96)):
        path = share / f"images/eye_{number}.jpg"
        cv2.imwrite(str(path), even, [cv2.IMWRITE_JPEG_QUALITY, quality])
    _write_artifacts(share, keys["owner"][0])


def _write_artifacts(share: Path, key: Path) -> None:
    """The bundled one, signed by the board's owner: a version higher, and for a newer core."""
    bundled = artifacts.open_artifact(models.resolve(Path(MODEL)), ())
    files = {record.name: bundled.read(record.name) for record in bundled.manifest.files}
    update = replace(bundled.manifest, version=bundled.manifest.version + 1)
    triple, cpu, features = "aarch64-linux-gnu", "cortex-a76", ("asimddp",)
    core = replace(update.target, triple=triple, cpu=cpu, features=features)
    private = signing.load_private_key(key)
    artifacts.write(share / "update", update, files, private)
    artifacts.write(share / "newer", replace(update, target=core), files, private)


def _dice(share: Path, given: Given) -> float:
    """The worst of the masks, with the label or with what this machine segments."""
    if given.label is None:
        segmenter = Segmenter(artifacts.open_artifact(models.resolve(Path(MODEL)), ()))
        expected = segmenter.segment(read_image(share / "images/eye_0.jpg")).mask
    else:
        expected = read_image(given.label).max(axis=2) > 0
    masks = sorted((share / "maps").glob("*_mask.png"))
    return min((_overlap(read_image(mask)[..., 0] > 0, expected) for mask in masks), default=0.0)


def _overlap(found: NDArray[np.bool_], expected: NDArray[np.bool_]) -> float:
    """Dice; a camera's picture may lack the last column."""
    expected = expected[: found.shape[0], : found.shape[1]]
    return float(2 * (found & expected).sum() / max(1, found.sum() + expected.sum()))


def _power(share: Path) -> Power | None:
    file = share / "summary.json"
    if not file.exists():
        return None
    power = json.loads(file.read_text())["power"]
    return Power(power["kind"], power["mean_power_w"], power["energy_j"], power["duration_s"])
