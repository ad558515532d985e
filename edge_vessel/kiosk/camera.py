"""The kiosk's camera: open while somebody waits for a capture, closed else."""

from collections.abc import Callable

from edge_vessel import sources
from edge_vessel.capture import Capture, CaptureConfig, End
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sinks.base import CameraEvent, CameraState, Unreadable
from edge_vessel.sources.base import Frame, Source
from edge_vessel.sources.camera import Camera

_CONFIG = CaptureConfig(open_timeout_s=20.0, read_timeout_s=3.0, give_up_s=3.0)


def source_maker(camera: str) -> Callable[[], Source]:
    """Makes the source that `--camera` names, anew for each opening.

    Raises:
        UsageError: it is no camera's, or no live one.
    """
    if not camera:
        raise UsageError("--camera: names none; such as 0, /dev/video0, rtsp://...")
    scheme = camera.partition(":")[0]

    def make() -> Source:
        return sources.create(camera) if scheme in sources.SCHEMES else Camera(camera)

    if not make().live:
        raise UsageError(f"{camera}: is no live stream; give a synthetic one a rate: fps=15")
    return make


class KioskCamera:
    """Used by one thread; `state` may be read by any."""

    def __init__(self, make_source: Callable[[], Source], config: CaptureConfig = _CONFIG) -> None:
        self._make_source = make_source
        self._config = config
        self._capture: Capture | None = None

    @property
    def state(self) -> CameraState | None:
        """None while it is closed."""
        capture = self._capture
        return None if capture is None else capture.state

    def open(self) -> None:
        """Starts the stream; one that runs goes on."""
        if self._capture is None:
            self._capture = Capture(self._make_source(), self._config)
            self._capture.start()

    def next(self, timeout_s: float) -> Frame | CameraEvent | None:
        """The newest frame, or a change of the camera's state; None where neither came in time.

        Raises:
            UsageError, DeviceError: the camera is lost, or is none.
        """
        if self._capture is None:
            raise DeviceError("the camera is closed")
        found = self._capture.take(timeout_s)
        if isinstance(found, End):
            raise DeviceError(f"{self._capture.source.uri}: the stream has ended")
        return None if isinstance(found, Unreadable) else found

    def close(self) -> None:
        """Releases the device; harmless when it is closed already."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.stop()
