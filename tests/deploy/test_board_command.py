"""`python -m deploy board` before it boots anything: its calls, and its disks and pictures."""

import importlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from artifact_folders import python
from needs import unavailable

from deploy.board import host, lifecycle
from deploy.board import image as images
from deploy.board.boot import Machine, copy_disk
from deploy.board.debian import Debian
from deploy.board.image import Image
from deploy.board.kernel import GUEST
from edge_vessel.errors import DeviceError, UsageError


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["board"], "image | run | test"),
        (["board", "boil"], "invalid choice"),
        (["board", "run"], "-- CMD"),
        (["board", "run", "--cpu", "z80", "--", "true"], "cortex-a72"),
        (["board", "run", "--timeout", "0", "--", "true"], "'0': a whole number"),
        (["board", "run", "--share", "/nowhere", "--", "true"], "/nowhere: no such folder"),
        (["board", "test", "--eye", "eye.png"], "--eye and --label go together"),
        (["board", "test", "--output", "/nowhere/report.json"], "report.json: no such folder"),
    ],
)
def test_a_wrong_call_is_one_line(arguments: list[str], fault: str) -> None:
    done = python("-m", "deploy", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert fault in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_the_machine_lacks_is_named_at_once() -> None:
    host.need({"sh": "dash", "/proc": "linux"})
    with pytest.raises(UsageError, match=r"apt install none-such other-such$"):
        host.need({"no-such-program": "none-such", "sh": "dash", "/no/such": "other-such"})


def test_a_program_that_fails_is_told_by_its_last_line() -> None:
    assert host.call(["sh", "-c", "echo yes"]) == "yes\n"
    with pytest.raises(DeviceError, match=r"^sh: the reason$"):
        host.call(["sh", "-c", "echo no; echo why >&2; echo the reason >&2; exit 7"])


def test_a_copied_disk_keeps_its_holes(tmp_path: Path) -> None:
    image = Image(tmp_path)
    with image.disk.open("wb") as file:
        file.write(b"begin")
        file.truncate(2**26)
    copy = copy_disk(image, tmp_path / "copy")
    assert copy.stat().st_size == 2**26
    assert copy.stat().st_blocks * 512 < 2**20
    with pytest.raises(DeviceError, match="make room"):
        copy_disk(image, tmp_path / "no/such/folder")


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_mirrors_are_debians_of_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "Debian http://mirror/debian/ bookworm", "Debian http://mirror/debian/ bookworm-updates",
        "Debian http://mirror/debian/ bookworm", "Debian http://mirror/debian/ trixie",
        "Debian Backports http://mirror/debian/ bookworm-backports",
        "Other http://other/linux/ bookworm", "Flat http://flat/ ", " http://nameless/ ",
    )  # fmt: skip
    told = "\n".join(lines)
    _program(tmp_path / "bin", "apt-get", f"[ $1 != indextargets ] || echo '{told}'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    Debian(tmp_path / "apt")
    sources = (tmp_path / "apt/sources.list").read_text().splitlines()
    assert [line.partition("] ")[2] for line in sources] == [
        "http://mirror/debian/ bookworm main", "http://mirror/debian/ bookworm-updates main",
    ]  # fmt: skip
    _program(tmp_path / "bin", "apt-get", "echo 'Debian http://mirror/debian/ trixie'")
    with pytest.raises(UsageError, match="no mirror of Debian bookworm"):
        Debian(tmp_path / "other")


def test_an_image_that_is_used_stays(tmp_path: Path) -> None:
    image, stale = tmp_path / images.key(), ("0" * 16, "making-killed", "not-ours")
    for name in (image.name, "f" * 16, *stale):
        (tmp_path / name / "inside").mkdir(parents=True)
        if name != "f" * 16:
            os.utime(tmp_path / name, (0, 0))
    assert images.prepare(tmp_path) == Image(image)
    images.prune(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {image.name, "f" * 16, "not-ours"}


def _ended(number: str) -> bool:
    """A process that is gone, or that nobody has waited for yet."""
    status = Path("/proc", number, "stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(("by", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_who_is_ended_ends_qemu(by: signal.Signals, code: int, tmp_path: Path) -> None:
    """A program in QEMU's place says its number, and sleeps."""
    try:
        host.need({"qemu-system-aarch64": "qemu-system-arm"})
    except UsageError as error:
        unavailable(str(error))
    (tmp_path / "image" / images.key()).mkdir(parents=True)
    (tmp_path / "temporary").mkdir()
    _program(tmp_path / "bin", "qemu-system-aarch64", f"echo $$ >{tmp_path}/n; exec sleep 60")
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy", "board", "run", "--image", tmp_path / "image", "--", "x"],
        env={
            **os.environ,
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "TMPDIR": str(tmp_path / "temporary"),
        },
    )
    said = tmp_path / "n"
    while not (said.exists() and said.read_text().endswith("\n")):
        assert process.poll() is None
        time.sleep(0.05)
    assert list((tmp_path / "temporary").iterdir())
    process.send_signal(by)
    assert process.wait(20) == code
    end_s = time.monotonic() + 20
    while not _ended(said.read_text().strip()):
        assert time.monotonic() < end_s
        time.sleep(0.05)
    if by == signal.SIGTERM:
        assert not list((tmp_path / "temporary").iterdir())


def test_a_label_of_another_eye_is_told_before_anything_boots(tmp_path: Path) -> None:
    (tmp_path / "bundle.tar").touch()
    for name, side in (("eye.png", 64), ("label.png", 32)):
        cv2.imwrite(str(tmp_path / name), np.zeros((side, side, 3), np.uint8))
    given = lifecycle.Given(*(tmp_path / name for name in ("bundle.tar", "eye.png", "label.png")))
    with pytest.raises(UsageError, match=r"label\.png: is not as large as .*eye\.png"):
        lifecycle.test(Image(tmp_path), given, None, as_json=True)


def test_a_machine_is_an_a72_on_which_nothing_stays() -> None:
    assert (Machine().cpu, Machine().disk) == ("cortex-a72", None)


@pytest.fixture
def usb_camera(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The guest's program."""
    monkeypatch.syspath_prepend(GUEST)
    return importlib.import_module("usb_camera")


def test_the_camera_reads_a_jpegs_size(usb_camera: ModuleType, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "eye.jpg"), np.zeros((48, 64, 3), np.uint8))
    film = usb_camera.load(tmp_path, 3, None)
    assert (film.width, film.height, film.yuyv) == (64, 48, False)
    camera = usb_camera.Camera(film)
    parts = [camera.payload(128)]
    while not parts[-1][1] & usb_camera.END_OF_FRAME:
        parts.append(camera.payload(128))
    assert b"".join(part[2:] for part in parts) == (tmp_path / "eye.jpg").read_bytes()
    length = struct.unpack_from("<H", usb_camera.configuration(film), 2)[0]
    assert length == len(usb_camera.configuration(film))
    assert camera.control(bytes(8)) == bytes(2), "GET_STATUS"


COMMIT = struct.pack("<BBHHH", 0x21, 1, 2 << 8, 1, 0)


@pytest.mark.parametrize(
    ("told", "answers"),
    [
        (("submit 1", "unlink 1 by 2"), ["unlinked 2: -104"]),
        (("unlink 2 by 3", "submit 1", "submit 2"), ["unlinked 3: -104"]),
        (("unlink 2 by 3", "submit 1", "unlink 1 by 4"), ["unlinked 4: -104"]),
        (("commit 1", "submit 2", "unlink 1 by 3"),
         ["submitted 1: 0", "unlinked 3: 0", "submitted 2: 0"]),
        (("unlink 1 by 2", "submit 1", "commit 3", "submit 4"),
         ["unlinked 2: -104", "submitted 3: 0", "submitted 4: 0"]),
    ],
)  # fmt: skip
def test_what_the_kernel_takes_back_is_not_served(
    usb_camera: ModuleType, tmp_path: Path, told: tuple[str, ...], answers: list[str]
) -> None:
    """However early it does: one whose answer it does not expect costs it the camera."""
    cv2.imwrite(str(tmp_path / "eye.jpg"), np.zeros((48, 64, 3), np.uint8))
    ours, kernels = socket.socketpair()
    kernels.settimeout(20)
    cable = usb_camera.Cable(usb_camera.Camera(usb_camera.load(tmp_path, 3, None)), ours)
    header = usb_camera.HEADER.pack
    for word, number, *rest in map(str.split, told):
        if word == "unlink":
            unwanted = struct.pack(">I24x", int(number))
            message = header(usb_camera.UNLINK, int(rest[1]), 0, 0, 0, unwanted)
        else:
            to_host, setup = (0, COMMIT) if word == "commit" else (1, bytes(8))
            about = struct.pack(">II12x", 0, 512 * to_host) + setup
            message = header(usb_camera.SUBMIT, int(number), 0, to_host, to_host, about)
        kernels.sendall(message)

    def serve() -> None:
        with pytest.raises(SystemExit):
            cable.serve()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    names = {usb_camera.SUBMITTED: "submitted", usb_camera.UNLINKED: "unlinked"}
    said = []
    for _ in answers:
        head = kernels.recv(usb_camera.HEADER.size, socket.MSG_WAITALL)
        command, number, _, _, _, status, length = struct.unpack_from(">5IiI", head)
        if command == usb_camera.SUBMITTED and length:
            kernels.recv(length, socket.MSG_WAITALL)
        said.append(f"{names[command]} {number}: {status}")
    assert said == answers
    kernels.shutdown(socket.SHUT_WR)
    serving.join(20)
    ours.close()
    assert kernels.recv(1) == b"", "nothing else is said"


def test_the_guests_programs_are_what_a_board_can_read() -> None:
    for script in GUEST.glob("*.py"):
        compile(script.read_text(), str(script), "exec")
    for script in ("initramfs-init", "board-init", "board-command"):
        subprocess.run(["sh", "-n", str(GUEST / script)], check=True)
