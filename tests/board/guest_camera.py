"""Runs on the board: one scene with a camera, told in JSON lines that the host's test judges."""

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge_vessel.errors import EdgeVesselError
from edge_vessel.sources.camera import Camera
from edge_vessel.sources.camera_list import list_cameras

LONG_S = 60.0  # emulation is slow: a deadline that no healthy camera misses
ATTEMPTS = 800

# drivers/media/test-drivers/vivid/vivid-ctrls.c
VIVID_BASE = 0x00F0F000
VIDIOC_S_CTRL = 0xC008561C
DISCONNECT, DQBUF_ERROR, QUEUE_ERROR = 65, 66, 70


def tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def failure(call: Callable[[], object]) -> str:
    """The error that a call ends with, as "Class: text"; "" when it ends well."""
    try:
        call()
    except EdgeVesselError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def until(condition: Callable[[], object], what: str) -> None:
    for _ in range(ATTEMPTS):
        if condition():
            return
        time.sleep(0.25)
    raise TimeoutError(what)


def plug_in(folder: str, *options: str) -> subprocess.Popen[bytes]:
    """Attaches the USB camera; waits until the kernel lists a node more."""
    before = set(Path("/sys/class/video4linux").glob("video*"))

    def new_nodes() -> bool:
        return len(set(Path("/sys/class/video4linux").glob("video*")) - before) > 1

    for _ in range(20):  # the port of the camera before may not be free yet
        arguments = [sys.executable, "/opt/board/usb_camera.py", folder, *options]
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        until(lambda p=process: new_nodes() or p.poll() is not None, "no camera")
        if process.poll() is None:
            return process
    raise RuntimeError("the camera cannot be attached")


@contextmanager
def usb_camera(folder: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = plug_in(folder, *options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def save(camera: Camera, name: str) -> None:
    frame = camera.read(LONG_S)
    np.save(name, frame.image)
    tell(saved=name, frame=frame.name, shape=frame.image.shape, mode=camera.mode.fourcc)


def scene_capture() -> None:
    with usb_camera("images"):
        Path("/dev/v4l/by-id").mkdir(parents=True)
        link = Path("/dev/v4l/by-id/usb-emulated-video-index0")
        link.symlink_to("../../video0")
        for info in list_cameras():
            sizes = [f"{f.fourcc} {s[0]}x{s[1]}" for f in info.formats for s in f.sizes]
            tell(path=info.path, by_id=info.by_id, card=info.card, driver=info.driver, sizes=sizes)
        for device in ("0", "/dev/video0", str(link)):
            camera = Camera(device)
            camera.open()
            save(camera, f"frame-{Path(device).name}.npy")
            camera.close()
        camera = Camera("0")
        camera.open()
        for number in range(6):
            save(camera, f"frame-loop-{number}.npy")
        holder = subprocess.Popen(
            [sys.executable, __file__, "hold"], stdout=subprocess.PIPE, stdin=subprocess.PIPE
        )
        camera.close()
        holder.stdin.write(b"go\n")
        holder.stdin.flush()
        holder.stdout.readline()
        tell(busy=failure(Camera("0").open), holder=holder.pid)
        holder.kill()
        holder.wait()
        tell(metadata=failure(Camera("1").open))
        tell(missing=failure(Camera("7").open))
        tell(size=failure(Camera("0", size=(123, 45)).open))
        tell(format=failure(Camera("0", pixel_format="YUYV").open))
        os.seteuid(65534)
        tell(permission=failure(Camera("0").open))
        os.seteuid(0)


def scene_hold() -> None:
    sys.stdin.readline()
    camera = Camera("0")
    camera.open()
    tell(holding=True)
    sys.stdin.read()


def scene_replug() -> None:
    camera = Camera("0")
    with usb_camera("images") as cable:
        camera.open()
        save(camera, "before.npy")
        # Somebody else keeps the old node open: the camera comes back under another number.
        os.open("/dev/video0", os.O_RDWR | os.O_NONBLOCK)
        threading.Timer(1.0, cable.kill).start()

        def read_on() -> None:
            while True:
                camera.read(LONG_S)

        began_s = time.monotonic()
        text = failure(read_on)
        tell(pulled=text, within_deadline=time.monotonic() - began_s < LONG_S)
        tell(closed=failure(lambda: camera.read(LONG_S)))
    tell(gone=failure(camera.open))
    with usb_camera("images"):
        until(lambda: not failure(camera.open), "the camera does not come back")
        tell(path=camera.info.path)
        save(camera, "after.npy")


def scene_silent() -> None:
    with usb_camera("images") as cable:
        camera = Camera("0")
        camera.open()
        camera.read(LONG_S)
        cable.send_signal(signal.SIGSTOP)

        def read_on() -> None:
            while True:
                camera.read(3.0)

        # The emulated host controller cannot cancel a transfer by itself: closing hangs till then.
        awake = threading.Timer(30.0, cable.send_signal, [signal.SIGCONT])
        awake.start()
        tell(silent=failure(read_on), still_silent=awake.is_alive())
        awake.join()
        camera.open()
        camera.read(LONG_S)
        tell(again=True)


def scene_freeze() -> None:
    with usb_camera("still"):
        camera = Camera("0", freeze_timeout_s=2.0)
        camera.open()
        frames = 0

        def read_on() -> None:
            nonlocal frames
            while True:
                camera.read(LONG_S)
                frames += 1

        tell(frozen=failure(read_on), frames_before=frames)
        camera.open()
        tell(still=failure(lambda: camera.read(LONG_S)))
        patient = Camera("0", freeze_timeout_s=0)
        camera.close()
        patient.open()
        for _ in range(9):
            patient.read(LONG_S)
        tell(off=True)


def scene_yuyv() -> None:
    with usb_camera("yuyv", "--yuyv", "320x240"):
        camera = Camera("0")
        camera.open()
        save(camera, "yuyv.npy")


def scene_vivid() -> None:
    until(list_cameras, "no vivid")
    info = list_cameras()[0]
    tell(offered=[f.fourcc for f in info.formats])
    for fourcc in ("RGB3", "BGR3", "YUYV", "UYVY", "NV12", "GREY"):
        camera = Camera(info.path, size=(640, 360), pixel_format=fourcc)
        camera.open()
        save(camera, f"vivid-{fourcc}.npy")
        camera.close()
    camera = Camera(info.path, size=(320, 180))
    camera.open()
    camera.read(LONG_S)
    control = os.open(info.path, os.O_RDWR)

    def press(button: int) -> None:
        fcntl.ioctl(control, VIDIOC_S_CTRL, struct.pack("Ii", VIVID_BASE + button, 1))

    press(DQBUF_ERROR)
    for _ in range(6):
        camera.read(LONG_S)
    tell(damaged=camera.damaged)
    press(QUEUE_ERROR)
    tell(queue_error=failure(lambda: [camera.read(LONG_S) for _ in range(6)]))
    camera.open()
    save(camera, "vivid-again.npy")
    press(DISCONNECT)
    tell(disconnected=failure(lambda: [camera.read(LONG_S) for _ in range(6)]))


if __name__ == "__main__":
    globals()[f"scene_{sys.argv[1]}"]()
