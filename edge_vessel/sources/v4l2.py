"""The part of Video4Linux2 that capture needs: structures, constants and ioctl numbers.

Source: linux/videodev2.h, 64-bit layout (x86_64, aarch64), and the V4L2 chapter of the kernel's
Linux Media Infrastructure userspace API. `v4l2_buffer` holds a pointer and a `timeval`, so its
layout differs on 32-bit machines, which `query_capability` refuses.
"""

import errno
import fcntl
import sys
from ctypes import Structure, Union, c_char, c_int32, c_long, c_uint8, c_uint32, c_ulong, sizeof

VIDEO_MAJOR = 81  # linux/major.h: every /dev/videoN

BUF_TYPE_VIDEO_CAPTURE = 1
MEMORY_MMAP = 1
FIELD_ANY = 0

CAP_VIDEO_CAPTURE = 0x00000001
CAP_VIDEO_OUTPUT = 0x00000002
CAP_VIDEO_CAPTURE_MPLANE = 0x00001000
CAP_VIDEO_M2M_MPLANE = 0x00004000
CAP_VIDEO_M2M = 0x00008000
CAP_META_CAPTURE = 0x00800000
CAP_STREAMING = 0x04000000
CAP_DEVICE_CAPS = 0x80000000
CAP_TIMEPERFRAME = 0x1000

FRMSIZE_TYPE_DISCRETE = 1

BUF_FLAG_ERROR = 0x00000040
BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000


class Capability(Structure):
    _fields_ = [
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    ]


class FormatDescription(Structure):
    _fields_ = [
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    ]


class FrameSize(Structure):
    """`v4l2_frmsizeenum`; a discrete size is `min_width` x `max_width`, as its union has it."""

    _fields_ = [
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("min_width", c_uint32),
        ("max_width", c_uint32),
        ("step_width", c_uint32),
        ("min_height", c_uint32),
        ("max_height", c_uint32),
        ("step_height", c_uint32),
        ("reserved", c_uint32 * 2),
    ]


class PixelFormat(Structure):
    _fields_ = [
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("bytesperline", c_uint32),
        ("sizeimage", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr_enc", c_uint32),
        ("quantization", c_uint32),
        ("xfer_func", c_uint32),
    ]


class _FormatUnion(Union):
    # c_ulong stands for the pointers of v4l2_window: they align the union to eight bytes.
    _fields_ = [("pix", PixelFormat), ("raw_data", c_uint8 * 200), ("align", c_ulong)]


class Format(Structure):
    _fields_ = [("type", c_uint32), ("fmt", _FormatUnion)]


class StreamParameters(Structure):
    """`v4l2_streamparm` with its capture member."""

    _fields_ = [
        ("type", c_uint32),
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("numerator", c_uint32),
        ("denominator", c_uint32),
        ("rest", c_uint8 * 184),
    ]


class RequestBuffers(Structure):
    _fields_ = [
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    ]


class _Memory(Union):
    _fields_ = [("offset", c_uint32), ("userptr", c_ulong), ("fd", c_int32)]


class Buffer(Structure):
    _fields_ = [
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("tv_sec", c_long),
        ("tv_usec", c_long),
        ("timecode", c_uint32 * 4),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("m", _Memory),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    ]


_WRITE, _READ = 1, 2


def _ioc(direction: int, number: int, size: int) -> int:
    """asm-generic/ioctl.h, which x86_64 and aarch64 use."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


VIDIOC_QUERYCAP = _ioc(_READ, 0, sizeof(Capability))
VIDIOC_ENUM_FMT = _ioc(_READ | _WRITE, 2, sizeof(FormatDescription))
VIDIOC_G_FMT = _ioc(_READ | _WRITE, 4, sizeof(Format))
VIDIOC_S_FMT = _ioc(_READ | _WRITE, 5, sizeof(Format))
VIDIOC_REQBUFS = _ioc(_READ | _WRITE, 8, sizeof(RequestBuffers))
VIDIOC_QUERYBUF = _ioc(_READ | _WRITE, 9, sizeof(Buffer))
VIDIOC_QBUF = _ioc(_READ | _WRITE, 15, sizeof(Buffer))
VIDIOC_DQBUF = _ioc(_READ | _WRITE, 17, sizeof(Buffer))
VIDIOC_STREAMON = _ioc(_WRITE, 18, sizeof(c_int32))
VIDIOC_STREAMOFF = _ioc(_WRITE, 19, sizeof(c_int32))
VIDIOC_G_PARM = _ioc(_READ | _WRITE, 21, sizeof(StreamParameters))
VIDIOC_S_PARM = _ioc(_READ | _WRITE, 22, sizeof(StreamParameters))
VIDIOC_ENUM_FRAMESIZES = _ioc(_READ | _WRITE, 74, sizeof(FrameSize))


def call(fd: int, request: int, argument: Structure | c_int32) -> None:
    """One ioctl, begun again when a signal interrupts it; `argument` is read and written.

    Raises:
        OSError: the driver's errno.
    """
    while True:
        try:
            fcntl.ioctl(fd, request, argument, True)
            return
        except InterruptedError:
            continue


def query_capability(fd: int) -> Capability:
    """What the node is; `device_caps` is filled in for old drivers that lack it.

    Raises:
        OSError: it is no V4L2 node (ENOTTY), or this Python is a 32-bit one (ENOSYS).
    """
    if sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, "camera capture needs a 64-bit Python")
    capability = Capability()
    call(fd, VIDIOC_QUERYCAP, capability)
    if not capability.capabilities & CAP_DEVICE_CAPS:
        capability.device_caps = capability.capabilities
    return capability


def fourcc_text(code: int) -> str:
    """0x47504a4d -> "MJPG"; bit 31 (big-endian) is left out."""
    return (code & 0x7FFFFFFF).to_bytes(4, "little").decode("latin-1").rstrip()


def fourcc_code(text: str) -> int:
    """ "MJPG" -> 0x47504a4d, as v4l2_fourcc()."""
    return int.from_bytes(text.ljust(4).encode("latin-1"), "little")
