"""A real window on a real X server without a screen (Xvfb); keys come from xdotool (XTEST)."""

import contextlib
import ctypes
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from needs import unavailable
from results import make_result

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sinks.base import CameraEvent, Unreadable
from edge_vessel.sinks.overlay import VESSEL_RGB
from edge_vessel.sinks.window import WindowSink, compose

SCREEN = (1280, 1024)
CLIENT_MESSAGE = 33


@pytest.fixture(scope="module", autouse=True)
def pygame_is_installed() -> None:
    if importlib.util.find_spec("pygame") is None:
        unavailable("pip install 'edge-vessel[window]'")


@dataclass
class Display:
    name: str
    framebuffer: Path

    def pixels(self) -> np.ndarray:
        """(H, W, 3) RGB of the whole screen: Xvfb's frame buffer is an XWD file (XWDFile.h)."""
        content = self.framebuffer.read_bytes()
        header = struct.unpack(">25I", content[:100])
        header_size, width, height = header[0], header[4], header[5]
        colours, line_bytes = header[19], header[12]
        start = header_size + 12 * colours
        rows = np.frombuffer(content, np.uint8, line_bytes * height, start)
        return rows.reshape(height, line_bytes // 4, 4)[:, :width, 2::-1]

    def do(self, *arguments: str) -> str:
        return subprocess.run(
            ["xdotool", *arguments],
            env={**os.environ, "DISPLAY": self.name},
            check=True,
            capture_output=True,
            text=True,
            timeout=20,
        ).stdout

    def window_below_the_pointer(self) -> int:
        answer = dict(line.split("=") for line in self.do("getmouselocation", "--shell").split())
        return int(answer["WINDOW"])

    def ask_to_close(self, window: int) -> None:
        """Sends what a window manager sends when its cross is clicked (ICCCM 4.2.8.1)."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        connection = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        protocols, delete = (
            x11.XInternAtom(connection, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        event = ClientMessage(CLIENT_MESSAGE, 0, 1, connection, window, protocols, 32)
        event.data[0] = delete
        x11.XSendEvent(connection, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
        x11.XCloseDisplay(connection)


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h, padded to the size of XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Display]:
    missing = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]
    if missing:
        reason = f"{', '.join(missing)} missing: apt-get install xvfb xdotool"
        unavailable(reason)
    folder = tmp_path_factory.mktemp("framebuffer")
    size = f"{SCREEN[0]}x{SCREEN[1]}x24"
    reading, writing = os.pipe()
    # The server picks a free number and writes it to the pipe once it takes clients.
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-fbdir", str(folder)]
    process = subprocess.Popen(
        [*command, "-nolisten", "tcp"], pass_fds=[writing], stderr=subprocess.DEVNULL
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as number:
            yield Display(f":{number.readline().strip()}", folder / "Xvfb_screen0")
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def display(server: Display, monkeypatch: pytest.MonkeyPatch) -> Display:
    monkeypatch.setenv("DISPLAY", server.name)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    return server


@pytest.fixture
def window(display: Display) -> Iterator[WindowSink]:
    window = WindowSink("edge_vessel")
    # Without a window manager the window below the pointer gets the keys.
    display.do("mousemove", "200", "200")
    yield window
    window.close()


def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def cyan(pixels: np.ndarray) -> int:
    return int((pixels == VESSEL_RGB).all(axis=2).sum())


def test_the_screen_shows_the_vessels_and_each_newer_frame(
    display: Display, window: WindowSink
) -> None:
    assert cyan(display.pixels()) == 0
    window.write(make_result(0, height=480, width=640, background=(160, 60, 20)))
    until(lambda: cyan(display.pixels()) > 100)
    pixels = display.pixels()
    assert (pixels == (160, 60, 20)).all(axis=2).sum() > 100_000
    window.write(make_result(1, height=480, width=640, background=(20, 60, 160)))
    until(lambda: bool((display.pixels() == (20, 60, 160)).all(axis=2).sum() > 100_000))
    assert not window.closed


@pytest.mark.parametrize("key", ["Escape", "q"])
def test_a_key_closes_it(display: Display, window: WindowSink, key: str) -> None:
    window.write(make_result())
    until(lambda: cyan(display.pixels()) > 0)
    display.do("key", "space")
    assert not window.closed
    until(lambda: _pressed(display, window, key))
    until(lambda: cyan(display.pixels()) == 0)
    window.write(make_result(1))
    window.close()
    window.close()


def _pressed(display: Display, window: WindowSink, key: str) -> bool:
    if not window.closed:
        # xdotool complains where the window goes before the key is let go.
        with contextlib.suppress(subprocess.CalledProcessError):
            display.do("key", key)
    return window.closed


def test_closing_the_window_closes_it(display: Display, window: WindowSink) -> None:
    display.ask_to_close(display.window_below_the_pointer())
    until(lambda: window.closed)


def test_it_answers_while_no_frame_comes(display: Display, window: WindowSink) -> None:
    window.event(CameraEvent("lost", "unplugged", 0.0))
    until(lambda: bool((display.pixels() == (255, 90, 90)).all(axis=2).any()))
    until(lambda: _pressed(display, window, "Escape"))


def test_a_frame_that_cannot_be_read_is_told(display: Display, window: WindowSink) -> None:
    def red() -> bool:
        return bool((display.pixels() == (255, 90, 90)).all(axis=2).any())

    window.unreadable(Unreadable(0, "eye.jpg: truncated"))
    until(red)
    window.write(make_result(1))
    until(lambda: not red())


def test_a_resized_window_is_filled_anew(display: Display, window: WindowSink) -> None:
    window.write(make_result(height=480, width=640))
    until(lambda: cyan(display.pixels()) > 100)
    before = (display.pixels() == (160, 60, 20)).all(axis=2).sum()
    number = display.window_below_the_pointer()
    display.do("windowsize", "--sync", str(number), "400", "300")
    until(lambda: 1000 < (display.pixels() == (160, 60, 20)).all(axis=2).sum() < before / 3)


def test_a_writer_never_waits_for_the_screen(window: WindowSink) -> None:
    result = make_result(height=960, width=1280)
    spent_s = []
    for _ in range(50):
        started = time.monotonic()
        window.write(result)
        spent_s.append(time.monotonic() - started)
    assert median(spent_s) < 0.05, "a busy machine takes one of them longer"


@pytest.mark.parametrize(
    ("result", "event", "text_colour"),
    [
        (None, None, (235, 235, 235)),
        (make_result(), CameraEvent("ok", "", 0.0), (235, 235, 235)),
        (make_result(status="no_fundus"), None, (235, 235, 235)),
        (make_result(name="œil"), CameraEvent("lost", "gone", 0.0), (255, 90, 90)),
    ],
    ids=["nothing yet", "frame", "no fundus", "lost"],
)
def test_the_state_is_written_below(result, event, text_colour) -> None:
    canvas = compose(result, event, 640, 480)
    assert canvas.shape == (480, 640, 3)
    assert (canvas[455:475] == text_colour).all(axis=2).any()


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**inherited, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


OPEN = """
import sys
from edge_vessel.errors import EdgeVesselError
from edge_vessel.sinks.window import WindowSink
try:
    WindowSink("x").close()
except EdgeVesselError as error:
    print(f"{error.exit_code} {error}")
"""


@pytest.mark.parametrize("environment", [{}, {"DISPLAY": ":7777"}], ids=str)
def test_no_display_is_told_in_one_line(environment: dict[str, str]) -> None:
    if Path("/dev/dri").exists() and not environment:
        pytest.skip("this machine has a console that SDL can draw on")
    (line,) = run(OPEN, **environment).stdout.splitlines()
    assert line.startswith(f"{DeviceError.exit_code} no window can be opened: ")
    assert line.endswith("or without --show")


def test_without_pygame_the_command_that_installs_it_is_named() -> None:
    script = "import sys; sys.modules['pygame'] = None\n" + OPEN
    (line,) = run(script).stdout.splitlines()
    assert line.startswith(f"{UsageError.exit_code} --show needs pygame-ce: pip install ")


def test_pygame_keeps_standard_output_clean(display: Display) -> None:
    done = run(OPEN, DISPLAY=display.name)
    assert (done.returncode, done.stdout) == (0, "")


def test_sigterm_stays_with_the_program(display: Display) -> None:
    script = (
        "import os, signal\nfrom edge_vessel.sinks.window import WindowSink\n"
        "window = WindowSink('x')\nos.kill(os.getpid(), signal.SIGTERM)\n"
        "window._thread.join(20)\n"
    )
    assert run(script, DISPLAY=display.name).returncode == -15
