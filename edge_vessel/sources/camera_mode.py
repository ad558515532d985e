"""Which of a camera's pixel formats and frame sizes to use, and setting it."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sources import v4l2
from edge_vessel.sources.pixel_formats import COMPRESSED, DECODABLE

# From 1280x720 up, uncompressed video does not fit USB 2.0 at a useful rate; below it does, and
# is free of JPEG's losses.
LARGE_FRAME_PX = 1280 * 720

Size = tuple[int, int]


@dataclass(frozen=True)
class SizeRange:
    """Stepwise sizes in pixels; `smallest`, `largest` and `step` are (width, height)."""

    smallest: Size
    largest: Size
    step: Size

    def __contains__(self, size: Size) -> bool:
        return all(
            low <= value <= high and (value - low) % max(step, 1) == 0
            for value, low, high, step in zip(
                size, self.smallest, self.largest, self.step, strict=True
            )
        )


@dataclass(frozen=True)
class PixelFormat:
    """One pixel format of a camera: its fourcc and the sizes (width, height) it comes in."""

    fourcc: str
    description: str
    sizes: tuple[Size, ...] = ()
    size_range: SizeRange | None = None

    def offers(self, size: Size) -> bool:
        return size in self.sizes or (self.size_range is not None and size in self.size_range)

    def largest(self) -> Size:
        ends = () if self.size_range is None else (self.size_range.largest,)
        return max((*self.sizes, *ends), key=_area, default=(0, 0))


@dataclass(frozen=True)
class Mode:
    """What a stream delivers: fourcc, (width, height) in pixels, bytes of a row (0: packed)."""

    fourcc: str
    size: Size
    stride: int = 0


def _area(size: Size) -> int:
    return size[0] * size[1]


def _rank(mode: Mode) -> tuple[int, bool, int]:
    compressed_wanted = _area(mode.size) >= LARGE_FRAME_PX
    fits = (mode.fourcc in COMPRESSED) == compressed_wanted
    return _area(mode.size), fits, -DECODABLE.index(mode.fourcc)


def choose_mode(
    formats: Sequence[PixelFormat], size: Size | None, pixel_format: str | None
) -> Mode:
    """The mode to ask the camera for: `size`, or the largest; `pixel_format`, or the best for it.

    Raises:
        UsageError: the camera offers no such size or format, or none that can be decoded; the text
            lists what it offers.
    """
    usable = [f for f in formats if f.fourcc in DECODABLE]
    if pixel_format is not None:
        usable = [f for f in usable if f.fourcc == pixel_format]
    if not usable:
        offered = ", ".join(f.fourcc for f in formats) or "nothing"
        wanted = pixel_format or "any of " + ", ".join(DECODABLE)
        raise UsageError(
            f"pixel format {wanted} is not offered (it offers {offered}); "
            "try a gst: pipeline that converts"
        )
    if size is not None:
        fitting = [Mode(f.fourcc, size) for f in usable if f.offers(size)]
        if not fitting:
            raise UsageError(
                f"frame size {size[0]}x{size[1]} is not offered; choose {sizes_text(usable)}"
            )
        return max(fitting, key=_rank)
    return max((Mode(f.fourcc, f.largest()) for f in usable), key=_rank)


def sizes_text(formats: Sequence[PixelFormat]) -> str:
    """The frame sizes of the formats in one line, largest first."""
    sizes = sorted({s for f in formats for s in f.sizes}, key=_area, reverse=True)
    parts = [f"{w}x{h}" for w, h in sizes]
    for limits in {f.size_range for f in formats if f.size_range is not None}:
        parts.append("{}x{} to {}x{}".format(*limits.smallest, *limits.largest))
    return ", ".join(parts)


def read_formats(fd: int) -> tuple[PixelFormat, ...]:
    """The pixel formats of an open capture node, in the driver's order."""
    formats: list[PixelFormat] = []
    while True:
        entry = v4l2.FormatDescription(index=len(formats), type=v4l2.BUF_TYPE_VIDEO_CAPTURE)
        try:
            v4l2.call(fd, v4l2.VIDIOC_ENUM_FMT, entry)
        except OSError:
            return tuple(formats)
        sizes, limits = _read_sizes(fd, entry.pixelformat)
        text = entry.description.decode("utf-8", "replace")
        formats.append(PixelFormat(v4l2.fourcc_text(entry.pixelformat), text, sizes, limits))


def _read_sizes(fd: int, pixelformat: int) -> tuple[tuple[Size, ...], SizeRange | None]:
    sizes: list[Size] = []
    while True:
        entry = v4l2.FrameSize(index=len(sizes), pixel_format=pixelformat)
        try:
            v4l2.call(fd, v4l2.VIDIOC_ENUM_FRAMESIZES, entry)
        except OSError:
            break
        if entry.type != v4l2.FRMSIZE_TYPE_DISCRETE:
            return (), SizeRange(
                (entry.min_width, entry.min_height),
                (entry.max_width, entry.max_height),
                (entry.step_width, entry.step_height),
            )
        sizes.append((entry.min_width, entry.max_width))
    if sizes:
        return tuple(sizes), None
    # Drivers of old need not enumerate sizes: then the one that is set is the one there is.
    current = v4l2.Format(type=v4l2.BUF_TYPE_VIDEO_CAPTURE)
    try:
        v4l2.call(fd, v4l2.VIDIOC_G_FMT, current)
    except OSError:
        return (), None
    return ((current.fmt.pix.width, current.fmt.pix.height),), None


def set_mode(fd: int, wanted: Mode, fps: float | None) -> Mode:
    """Sets format, size and (nearest) rate in frames per second; the mode the driver took.

    Raises:
        OSError: the driver refuses; EBUSY when another process streams.
        DeviceError: the driver answers with another format or size than it had offered.
    """
    fmt = v4l2.Format(type=v4l2.BUF_TYPE_VIDEO_CAPTURE)
    pix = fmt.fmt.pix
    pix.width, pix.height = wanted.size
    pix.pixelformat, pix.field = v4l2.fourcc_code(wanted.fourcc), v4l2.FIELD_ANY
    v4l2.call(fd, v4l2.VIDIOC_S_FMT, fmt)
    mode = Mode(v4l2.fourcc_text(pix.pixelformat), (pix.width, pix.height), pix.bytesperline)
    if (mode.fourcc, mode.size) != (wanted.fourcc, wanted.size):
        raise DeviceError(
            f"asked for {wanted.fourcc} {wanted.size[0]}x{wanted.size[1]}, the driver set "
            f"{mode.fourcc} {mode.size[0]}x{mode.size[1]}; name a frame size that it offers"
        )
    if fps is not None:
        _set_rate(fd, fps)
    return mode


def _set_rate(fd: int, fps: float) -> None:
    rate = v4l2.StreamParameters(type=v4l2.BUF_TYPE_VIDEO_CAPTURE)
    try:
        v4l2.call(fd, v4l2.VIDIOC_G_PARM, rate)
        if rate.capability & v4l2.CAP_TIMEPERFRAME:
            rate.numerator, rate.denominator = 1000, round(fps * 1000)
            v4l2.call(fd, v4l2.VIDIOC_S_PARM, rate)
    except OSError:
        return  # a camera with one rate: optional in the V4L2 standard
