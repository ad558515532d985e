"""Which cameras this machine has, and which node is which camera."""

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sources import v4l2
from edge_vessel.sources.camera_mode import PixelFormat, read_formats

_DEV = Path("/dev")
_BY_ID = Path("/dev/v4l/by-id")
_SYS = Path("/sys/class/video4linux")
_LISTED = 4


@dataclass(frozen=True)
class CameraInfo:
    """One capture node.

    `path` is /dev/videoN; `by_id` its link that stays the same over replugging, where udev made
    one; `card` the camera's name; `bus` the port it sits at; `model` "vendor:product:serial" and
    the interface for a USB camera, else "".
    """

    path: str
    by_id: str | None
    card: str
    driver: str
    bus: str
    model: str
    formats: tuple[PixelFormat, ...]

    def same_camera(self, other: "CameraInfo") -> bool:
        """Whether both could be one camera, seen before and after replugging."""
        mine, theirs = (self.card, self.driver, self.model), (other.card, other.driver, other.model)
        return mine == theirs and (bool(self.model) or self.bus == other.bus)


def list_cameras() -> list[CameraInfo]:
    """The cameras that can be opened now, by node number; metadata nodes and codecs are no cameras.

    A node that this user may not open is left out.
    """
    cameras = []
    for path in sorted(_DEV.glob("video[0-9]*"), key=_number):
        try:
            fd, info = open_camera(str(path))
        except (DeviceError, UsageError):
            continue
        os.close(fd)
        cameras.append(info)
    return cameras


def open_camera(path: str) -> tuple[int, CameraInfo]:
    """Opens a capture node, non-blocking; the caller closes the file descriptor.

    Raises:
        UsageError: it is no camera at all.
        DeviceError: absent, not permitted, busy, a metadata node, or without streaming.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) != v4l2.VIDEO_MAJOR:
            raise UsageError(f"{path}: not a camera (no V4L2 device); cameras here: {_nearby()}")
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise explain(path, path, error) from error
    try:
        capability = v4l2.query_capability(fd)
        _check_capture(path, capability)
        return fd, _describe(path, fd, capability)
    except OSError as error:
        os.close(fd)
        raise explain(path, path, error) from error
    except (DeviceError, UsageError):
        os.close(fd)
        raise


def _check_capture(path: str, capability: v4l2.Capability) -> None:
    caps = capability.device_caps
    other = v4l2.CAP_VIDEO_OUTPUT | v4l2.CAP_VIDEO_M2M | v4l2.CAP_VIDEO_M2M_MPLANE
    if caps & v4l2.CAP_VIDEO_CAPTURE and not caps & other:
        if not caps & v4l2.CAP_STREAMING:
            raise DeviceError(f"{path}: the driver cannot stream; try a gst: pipeline")
        return
    card = capability.card.decode("utf-8", "replace")
    if caps & v4l2.CAP_META_CAPTURE:
        what, step = f"the metadata node of {card!r}", "use its picture node"
    elif caps & v4l2.CAP_VIDEO_CAPTURE_MPLANE:
        what, step = f"{card!r} delivers multi-planar frames", "use a gst: pipeline (v4l2src)"
    else:
        what, step = f"{card!r} is a codec or output, no camera", "use a camera"
    raise DeviceError(f"{path}: {what}; {step}; cameras here: {_nearby(without=path)}")


def _describe(path: str, fd: int, capability: v4l2.Capability) -> CameraInfo:
    node = os.path.realpath(path)
    links = sorted(p for p in _BY_ID.glob("*") if os.path.realpath(p) == node)
    return CameraInfo(
        path=node,
        by_id=str(links[0]) if links else None,
        card=capability.card.decode("utf-8", "replace"),
        driver=capability.driver.decode("utf-8", "replace"),
        bus=capability.bus_info.decode("utf-8", "replace"),
        model=_usb_model(Path(node).name),
        formats=read_formats(fd),
    )


def _usb_model(node: str) -> str:
    interface = (_SYS / node / "device").resolve()
    texts = []
    for file in (
        interface.parent / "idVendor",
        interface.parent / "idProduct",
        interface.parent / "serial",
        interface / "bInterfaceNumber",
        _SYS / node / "index",
    ):
        try:
            texts.append(file.read_text().strip())
        except OSError:
            texts.append("")
    return ":".join(texts) if texts[0] else ""


def _number(path: Path) -> int:
    digits = re.search(r"\d+$", path.name)
    return int(digits.group()) if digits else 0


def _nearby(without: str | None = None) -> str:
    """The other cameras in a few words; reads names from sysfs, so that it cannot recurse."""
    names = []
    for node in sorted(_SYS.glob("video*"), key=_number):
        path = f"/dev/{node.name}"
        try:
            if path == without or (node / "index").read_text().strip() != "0":
                continue
            names.append(f"{path} ({(node / 'name').read_text().strip()})")
        except OSError:
            continue
    if len(names) > _LISTED:
        names[_LISTED:] = [f"{len(names) - _LISTED} more"]
    return ", ".join(names) or "none; check the cable"


def _holders(path: str) -> str:
    """Who has the node open: "held by PID 12 (cheese)", as far as this user may know."""
    node = os.path.realpath(path)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) == node and int(link.parts[2]) != os.getpid():
                name = (link.parents[1] / "comm").read_text().strip()
                return f"held by PID {link.parts[2]} ({name})"
        except OSError:
            continue
    return f"find who holds it: fuser -v {path}"


def explain(label: str, path: str, error: OSError) -> DeviceError | UsageError:
    """The error for an errno of the camera at `path`, which the text calls `label`."""
    match error.errno:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV if path.startswith("/dev/"):
            return DeviceError(f"{label}: no such device; cameras here: {_nearby()}")
        case errno.ENOENT | errno.ENOTDIR:
            return UsageError(f"{label}: no such file; cameras here: {_nearby()}")
        case errno.EACCES | errno.EPERM:
            return DeviceError(
                f"{label}: permission denied; add the user to group video "
                "(sudo usermod -aG video $USER) and log in again"
            )
        case errno.EBUSY:
            return DeviceError(f"{label}: busy; {_holders(path)}")
        case errno.ENOTTY:
            return UsageError(f"{label}: not a camera (no V4L2 device); cameras here: {_nearby()}")
        case _:
            return DeviceError(f"{label}: {error.strerror or error}; replug the camera")
