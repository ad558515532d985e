"""A window on the device's own screen: `--show`."""

import os
import threading
from concurrent.futures import Future
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable
from edge_vessel.sinks.overlay import fitted_overlay

_SIZE_PX = (1024, 768)
_EVENT_POLL_S = 0.03
_START_TIMEOUT_S = 20.0
_CLOSE_TIMEOUT_S = 2.0
# SDL takes these for a display where there is none; they show nothing to anybody.
_BLIND_DRIVERS = frozenset({"dummy", "offscreen", "evdev"})
_TEXT_RGB = (235, 235, 235)
_FAULT_RGB = (255, 90, 90)


class WindowSink:
    """Shows the newest overlay, scaled to the window, and a line with the camera's state.

    SDL draws on X11, Wayland or a console without either (KMS). All of it happens in a thread of
    its own: a slow screen does not slow the pipeline, and the window answers while the camera is
    lost. Esc, q or closing the window sets `closed`; who feeds the sink looks at it and stops.
    """

    def __init__(self, title: str) -> None:
        """Opens the window.

        Raises:
            UsageError: pygame-ce is not installed.
            DeviceError: there is no display, or it refuses us.
        """
        self._pygame = _import_pygame()
        self._title = title
        self._changed = threading.Condition()
        self._result: Result | None = None
        self._event: CameraEvent | None = None
        self._fault: str | None = None
        self._fresh = True
        self._asked_to_close = False
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="window", daemon=True
        )
        self._thread.start()
        try:
            opened.result(_START_TIMEOUT_S)
        except TimeoutError as error:
            raise DeviceError("the display does not answer: run without --show") from error

    @property
    def closed(self) -> bool:
        """Whether the user, or the display, has closed the window."""
        return not self._thread.is_alive()

    def write(self, result: Result) -> None:
        """Leaves `result` to be drawn; its arrays must not change any more."""
        self._put(result, self._event)

    def unreadable(self, frame: Unreadable) -> None:
        """Shows its error until the next frame comes, over the picture before it."""
        self._put(self._result, self._event, frame.error)

    def event(self, event: CameraEvent) -> None:
        """Shows the camera's state."""
        self._put(self._result, event)

    def close(self) -> None:
        """Closes the window."""
        with self._changed:
            self._asked_to_close = True
            self._changed.notify()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _put(
        self, result: Result | None, event: CameraEvent | None, fault: str | None = None
    ) -> None:
        with self._changed:
            self._result, self._event, self._fault = result, event, fault
            self._fresh = True
            self._changed.notify()

    def _run(self, opened: "Future[None]") -> None:
        pygame = self._pygame
        try:
            pygame.display.init()
            driver = pygame.display.get_driver()
            if driver in _BLIND_DRIVERS and os.environ.get("SDL_VIDEODRIVER") != driver:
                raise pygame.error("no display found")
            pygame.display.set_caption(self._title)
            pygame.display.set_mode(_SIZE_PX, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            opened.set_exception(
                DeviceError(
                    f"no window can be opened: {error}: run it in a graphical session or on the "
                    "console, or without --show"
                )
            )
            return
        opened.set_result(None)
        try:
            while not self._asked_to_close and not self._user_closed():
                self._draw_if_fresh()
        finally:
            pygame.display.quit()

    def _user_closed(self) -> bool:
        pygame = self._pygame
        closing = False
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                closing = True
            elif event.type == pygame.KEYDOWN:
                closing = closing or event.key in {pygame.K_ESCAPE, pygame.K_q}
            elif event.type in {pygame.VIDEORESIZE, pygame.VIDEOEXPOSE}:
                self._fresh = True
        return closing

    def _draw_if_fresh(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._fresh or self._asked_to_close, _EVENT_POLL_S)
            if not self._fresh:
                return
            result, event, fault = self._result, self._event, self._fault
            self._fresh = False
        surface = self._pygame.display.get_surface()
        width, height = surface.get_size()
        picture = compose(result, event, width, height, fault)
        # SDL's axes are x, y.
        self._pygame.surfarray.blit_array(surface, picture.swapaxes(0, 1))
        self._pygame.display.flip()


def compose(
    result: Result | None,
    event: CameraEvent | None,
    width: int,
    height: int,
    fault: str | None = None,
) -> NDArray[np.uint8]:
    """The window's contents: the overlay in the middle, below it `fault` or else the state.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    canvas = np.zeros((height, width, 3), np.uint8)
    if result is not None:
        picture = fitted_overlay(result.frame.image, result.segmentation.mask, width, height)
        top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    text, faulty = (fault, True) if fault else _state(result, event)
    # OpenCV's font has ASCII only.
    text = text.encode("ascii", "replace").decode()
    colour = _FAULT_RGB if faulty else _TEXT_RGB
    for line_colour, thickness in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(
            canvas, text, (10, height - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.5, line_colour, thickness,
            cv2.LINE_AA,
        )  # fmt: skip
    return canvas


def _state(result: Result | None, event: CameraEvent | None) -> tuple[str, bool]:
    if event is not None and event.state != "ok":
        return f"camera {event.state}: {event.reason}", True
    if result is None:
        return "waiting for the first frame", False
    if result.segmentation.status == "no_fundus":
        return f"{result.frame.name}: no fundus in view", False
    return f"{result.frame.name}  {result.total_ms:.0f} ms  {result.dropped} dropped", False


def _import_pygame() -> ModuleType:
    # It greets on standard output, where --json has its document.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    # SDL would take SIGTERM for itself.
    os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
    try:
        import pygame
    except ImportError as error:
        raise UsageError(
            "--show needs pygame-ce: pip install 'edge-vessel[window]', or run without --show"
        ) from error
    return pygame
