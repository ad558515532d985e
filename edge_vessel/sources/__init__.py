"""Where frames come from: one URI syntax.

| URI | source |
|---|---|
| `FILE`, `FOLDER`, `GLOB` | photographs, in the order of their names |
| `FILE.mp4`, `.avi`, `.mkv`, ... | a video file, every frame |
| `camera:0`, `camera:/dev/video2`, `camera:/dev/v4l/by-id/...` | a V4L2 camera |
| `rtsp://...`, `rtsps://...` | a network camera |
| `gst:ELEMENT ! ELEMENT` | a GStreamer pipeline: CSI cameras and the like |
| `play:PATH[,fps=..,hold=..,side=..]` | photographs as a camera's stream, over and over |
| `synthetic:[width=..,height=..,fps=..,frames=..,seed=..]` | a drawn fundus |
"""

from collections.abc import Callable

from edge_vessel.errors import UsageError
from edge_vessel.sources.base import Frame, Source
from edge_vessel.sources.camera import Camera
from edge_vessel.sources.gstreamer import GStreamer
from edge_vessel.sources.images import ImageFiles
from edge_vessel.sources.play import Play
from edge_vessel.sources.synthetic import Synthetic
from edge_vessel.sources.video import VIDEO_SUFFIXES, Rtsp, VideoFile


def _synthetic(rest: str) -> Source:
    options = {}
    for part in filter(None, rest.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"synthetic:{part}: expected NAME=VALUE")
        options[name] = value
    return Synthetic(options)


SCHEMES: dict[str, Callable[[str], Source]] = {
    "camera": Camera,
    "gst": GStreamer,
    "play": Play,
    "rtsp": lambda rest: Rtsp(f"rtsp:{rest}"),
    "rtsps": lambda rest: Rtsp(f"rtsps:{rest}"),
    "synthetic": _synthetic,
}


def create(uri: str) -> Source:
    """The source that a URI names; nothing is opened yet.

    Raises:
        UsageError: the scheme is unknown, an option is wrong, or no such file exists.
    """
    if not uri.strip():
        raise UsageError("the input is empty: name a file, a folder, a glob or a URI")
    scheme, colon, rest = uri.partition(":")
    if colon and scheme in SCHEMES:
        return SCHEMES[scheme](rest)
    if "://" in uri:
        raise UsageError(f"{uri}: unknown scheme {scheme!r}; known: {', '.join(sorted(SCHEMES))}")
    if uri.lower().endswith(VIDEO_SUFFIXES):
        return VideoFile(uri)
    return ImageFiles(uri)


__all__ = ["SCHEMES", "Frame", "Source", "create"]
