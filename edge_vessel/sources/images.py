"""Photographs from files: one, a folder or a glob."""

import glob
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from edge_vessel.sources.base import Frame

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".webp", ".gif")
_MAX_BYTES = 1 << 30
_MAX_PIXELS = 200_000_000  # four times the largest fundus camera's; see edge_vessel/__init__.py
_PNG = b"\x89PNG\r\n\x1a\n"
_START_OF_SCAN = 0xDA
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def read_image(path: Path) -> NDArray[np.uint8]:
    """A photograph as (H, W, 3) uint8 RGB, turned upright as its EXIF data say.

    Grey and CMYK become RGB, 16 bits become 8, alpha is left out.

    Raises:
        UsageError: the file is missing, unreadable, truncated, too large or no image.
    """
    try:
        size = path.stat().st_size
        if path.is_dir() or size > _MAX_BYTES:
            raise UsageError(f"{path}: not an image file of at most 1 GiB")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if not content:
        raise UsageError(f"{path}: empty file; copy it again")
    if is_truncated(content):
        raise UsageError(f"{path}: truncated image ({size} bytes); copy it again")
    return decode(content, str(path))


def decode(content: bytes, name: str) -> NDArray[np.uint8]:
    """An encoded image as (H, W, 3) uint8 RGB; `name` stands in the error.

    Raises:
        UsageError: OpenCV cannot decode it, or it is too large.
    """
    if declared_pixels(content) > _MAX_PIXELS:
        raise UsageError(f"{name}: more than 200 megapixels; scale it down")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        if "MAX_IMAGE" in str(error):
            raise UsageError(f"{name}: more than 200 megapixels; scale it down") from error
        raise UsageError(f"{name}: OpenCV cannot decode it: {error.err}") from error
    except MemoryError as error:
        raise UsageError(f"{name}: too large for this machine's memory") from error
    if image is None:
        raise UsageError(f"{name}: not an image that OpenCV can decode, or damaged")
    return np.asarray(image, np.uint8)


def declared_pixels(content: bytes) -> int:
    """Width x height that the header of a PNG or a JPEG declares; 0 where it says nothing."""
    if content.startswith(_PNG) and len(content) >= 24:
        width, height = struct.unpack_from(">II", content, 16)
        return int(width * height)
    for marker, position in _jpeg_segments(content):
        if marker in _FRAME_HEADERS and position + 9 <= len(content):
            height, width = struct.unpack_from(">HH", content, position + 5)
            return int(width * height)
    return 0


def is_truncated(content: bytes) -> bool:
    """Whether a JPEG or PNG ends before its end marker; OpenCV would fill up the rest in grey."""
    if content.startswith(_PNG):
        return b"IEND" not in content[-64:]
    if not content.startswith(b"\xff\xd8"):
        return False
    for marker, position in _jpeg_segments(content):
        if marker == _START_OF_SCAN:
            return content.find(b"\xff\xd9", position) < 0
    return True


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Marker and position of each header segment: a thumbnail inside one has markers of its own."""
    position = 2 if content.startswith(b"\xff\xd8") else len(content)
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        yield marker, position
        if marker == _START_OF_SCAN:
            return
        position += 2 + int(struct.unpack_from(">H", content, position + 2)[0])


class ImageFiles:
    """Every photograph that a path, a folder or a glob names, in the order of their names.

    Raises:
        UsageError: it names nothing.
    """

    live = False

    def __init__(self, pattern: str) -> None:
        self.uri = pattern
        self.paths = _find(pattern)
        self._next = 0

    def open(self) -> None:
        self._next = 0

    def read(self, timeout_s: float) -> Frame | None:  # noqa: ARG002
        """See `Source.read`; files do not wait."""
        if self._next == len(self.paths):
            return None
        index = self._next
        self._next += 1
        started = time.perf_counter()
        image = read_image(self.paths[index])
        elapsed_ms = 1e3 * (time.perf_counter() - started)
        return Frame(index, self.paths[index].stem, image, time.time(), elapsed_ms)

    def close(self) -> None:
        pass


def _find(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
        if not found:
            raise UsageError(f"{pattern}: no images in this folder ({', '.join(SUFFIXES)})")
        return found
    if path.exists():
        return [path]
    if glob.has_magic(pattern):
        found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207
        found = [p for p in found if p.is_file()]
        if not found:
            raise UsageError(f"{pattern}: no file matches")
        return found
    raise UsageError(f"{pattern}: no such file or folder")
