"""`python -m deploy board` before it boots anything: its calls, and its disks and pictures."""

import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from artifact_folders import python

from deploy.board import host
from deploy.board.boot import Machine, copy_disk
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


def test_a_machine_is_an_a72_on_which_nothing_stays() -> None:
    assert (Machine().cpu, Machine().disk) == ("cortex-a72", None)


def test_the_camera_reads_a_jpegs_size(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "eye.jpg"), np.zeros((48, 64, 3), np.uint8))
    sys.path.insert(0, str(GUEST))
    try:
        import usb_camera  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(GUEST))
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


def test_the_guests_programs_are_what_a_board_can_read() -> None:
    for script in GUEST.glob("*.py"):
        compile(script.read_text(), str(script), "exec")
    for script in ("initramfs-init", "board-init", "board-command"):
        subprocess.run(["sh", "-n", str(GUEST / script)], check=True)
