"""What a camera's bytes mean: from a V4L2 payload to RGB pixels.

Source of the layouts: the kernel's Linux Media Infrastructure userspace API, "Image Formats".
YUV is taken as BT.601 limited range, the V4L2 default for sRGB cameras.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


def _convert(code: int) -> Callable[[Image], Image]:
    return lambda pixels: np.asarray(cv2.cvtColor(pixels, code), np.uint8)


# name: (channels of an image row, rows per image row, conversion to RGB)
_RAW: dict[str, tuple[int, float, Callable[[Image], Image]]] = {
    "YUYV": (2, 1, _convert(cv2.COLOR_YUV2RGB_YUYV)),
    "UYVY": (2, 1, _convert(cv2.COLOR_YUV2RGB_UYVY)),
    "NV12": (1, 1.5, _convert(cv2.COLOR_YUV2RGB_NV12)),
    "RGB3": (3, 1, np.ascontiguousarray),
    "BGR3": (3, 1, _convert(cv2.COLOR_BGR2RGB)),
    "GREY": (1, 1, _convert(cv2.COLOR_GRAY2RGB)),
}

COMPRESSED = ("MJPG", "JPEG")
DECODABLE = (*COMPRESSED, *_RAW)


def decode(fourcc: str, payload: bytes, size: tuple[int, int], stride: int) -> Image | None:
    """One frame's bytes as pixels.

    `fourcc` is one of `DECODABLE`; `size` is (width, height) in pixels and `stride` the bytes of a
    row, 0 for packed rows; both are ignored for JPEG, which carries its own size.

    Returns (H, W, 3) uint8 RGB, or None when the payload is damaged: too short, or a JPEG without
    its end.
    """
    if fourcc in COMPRESSED:
        return _decode_jpeg(payload)
    channels, row_factor, convert = _RAW[fourcc]
    width, rows = size[0], int(size[1] * row_factor)
    stride = max(stride, width * channels)
    if len(payload) < stride * rows:
        return None
    padded = np.frombuffer(payload, np.uint8, stride * rows).reshape(rows, stride)
    packed = padded[:, : width * channels]
    shape = (rows, width, channels) if channels > 1 else (rows, width)
    return convert(packed.reshape(shape))


def _decode_jpeg(payload: bytes) -> Image | None:
    # libjpeg paints what is missing grey and succeeds; only the end marker tells. Some cameras
    # pad the buffer with zeros behind it.
    if not payload.startswith(_JPEG_START) or not payload.rstrip(b"\0").endswith(_JPEG_END):
        return None
    try:
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(payload, np.uint8), flags)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)
