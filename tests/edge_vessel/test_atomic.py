import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_vessel import atomic
from edge_vessel.atomic import sweep, write_file
from edge_vessel.errors import DeviceError


@pytest.fixture(params=["nameless", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways, the second as on a file system without O_TMPFILE."""
    if request.param == "named":
        # Without O_DIRECTORY's bits the kernel says what FAT says: this is a folder.
        monkeypatch.setattr(os, "O_TMPFILE", 0)
    return request.param


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("before", [None, b"old"])
def test_the_file_is_whole_and_alone(tmp_path: Path, before: bytes | None) -> None:
    path = tmp_path / "eye_mask.png"
    if before is not None:
        path.write_bytes(before)
    write_file(path, b"new" * 100_000)
    assert path.read_bytes() == b"new" * 100_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("umask", "mode", "expected"),
    [(0o022, 0o640, 0o640), (0o077, 0o640, 0o600), (0o022, 0o644, 0o644), (0, 0o640, 0o640)],
)
def test_a_stricter_umask_is_kept(tmp_path: Path, umask: int, mode: int, expected: int) -> None:
    before = os.umask(umask)
    try:
        write_file(tmp_path / "eye", b"x", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "eye").stat().st_mode) == expected


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", ["missing/eye", "folder"])
def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DeviceError, match=f"{name}: cannot be written") as caught:
        write_file(tmp_path / name, b"x")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.usefixtures("way")
def test_a_device_a_pipe_and_a_socket_stay(tmp_path: Path) -> None:
    pipe, listener, device = tmp_path / "pipe", tmp_path / "socket", tmp_path / "null"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(listener))
    paths = [pipe, listener]
    with contextlib.suppress(PermissionError):  # only root makes devices
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        paths.append(device)
    for path in tuple(paths):
        link = tmp_path / f"to_{path.name}"
        link.symlink_to(path)
        paths.append(link)
    before = [path.lstat() for path in paths]
    for path in paths:
        with pytest.raises(DeviceError, match=f"{path.name}: cannot be written: not a regular"):
            write_file(path, b"x")
    assert [path.lstat() for path in paths] == before


WRITER = """
import os, sys, time
from pathlib import Path
from edge_vessel import atomic
# The disk takes its time.
os.fsync = lambda descriptor: (print("written", flush=True), time.sleep(60))
atomic.write_file(Path(sys.argv[1]), b"a person's vessels")
"""


def test_a_kill_while_the_disk_works_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "eye_mask.png")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_takes_what_is_old_and_ours(tmp_path: Path) -> None:
    left, young = tmp_path / ".eye_mask.png.0123abcd", tmp_path / ".eye_mask.png.0123abce"
    link, folder = tmp_path / ".a_mask.png.0123abcd", tmp_path / ".b_mask.png.0123abcd"
    other = tmp_path / ".eye_photo.png.0123abcd"
    for path in (left, young, other):
        path.write_bytes(b"x")
    link.symlink_to(other)
    folder.mkdir()
    old_s = time.time() - 2 * atomic._STALE_S
    for path in (left, other, folder, link):
        os.utime(path, (old_s, old_s), follow_symlinks=False)
    sweep(tmp_path, "_mask.png")
    assert sorted(tmp_path.iterdir()) == sorted([young, link, folder, other])
    sweep(tmp_path / "missing", "_mask.png")
