"""Photographs from files: one, a folder or a glob."""

import glob
import re
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import UsageError
from edge_vessel.sources.base import Frame
from edge_vessel.sources.decoder_lines import first_damage, library_lines
from edge_vessel.sources.video import VIDEO_SUFFIXES

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".webp", ".gif")
_MAX_BYTES = 1 << 30
_MAX_PIXELS = 100_000_000  # see edge_vessel/__init__.py
_PNG = b"\x89PNG\r\n\x1a\n"
_START_OF_SCAN = 0xDA
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SIGNIFICANT_BITS = (10, 12, 14, 16)  # of the sensors whose values come in 16
_RESULT = re.compile(r"(.+)_(?:mask|overlay|probability|landmarks)")  # what FileSink writes


def read_image(path: Path) -> NDArray[np.uint8]:
    """A photograph as (H, W, 3) uint8 RGB, turned upright as its EXIF data say.

    Grey and CMYK become RGB, 16 bits become 8 (see `decode`), alpha is left out.

    Raises:
        UsageError: the file is missing, unreadable, no regular file, truncated, damaged, too large
            or no image.
    """
    content = read_regular(path, _MAX_BYTES, UsageError, follow_symlinks=True)
    if not content:
        raise UsageError(f"{path}: empty file; copy it again")
    if is_truncated(content):
        raise UsageError(f"{path}: truncated image ({len(content)} bytes); copy it again")
    return decode(content, str(path))


def decode(content: bytes, name: str) -> NDArray[np.uint8]:
    """An encoded image as (H, W, 3) uint8 RGB; `name` stands in the error.

    Of 16-bit values the significant bits count: the fewest of 10, 12, 14 or 16 that hold the
    image's maximum become 8; where all are below 256 they are 8-bit values and stay. It is for
    files, not for a camera's frames: it redirects stderr to hear what the decoders complain about.

    Raises:
        UsageError: OpenCV cannot decode it, only a part of it is left, or it is too large.
    """
    if declared_pixels(content) > _MAX_PIXELS:
        raise UsageError(f"{name}: more than 100 megapixels; scale it down")
    if content.startswith(_PNG) and _has_bad_checksum(content):
        raise UsageError(f"{name}: damaged image (PNG checksum is wrong); copy it again")
    complaints: list[str] = []
    encoded = np.frombuffer(content, np.uint8)
    try:
        with library_lines(complaints):
            # Not IMREAD_COLOR_RGB: with 16-bit TIFF OpenCV 5.0 mixes up the channels.
            image = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        if "MAX_IMAGE" in str(error):
            raise UsageError(f"{name}: more than 100 megapixels; scale it down") from error
        raise UsageError(f"{name}: OpenCV cannot decode it: {error.err}") from error
    except MemoryError as error:
        raise UsageError(f"{name}: too large for this machine's memory") from error
    complaint = first_damage(complaints, content)
    if complaint:
        raise UsageError(f"{name}: damaged image ({complaint.lstrip(': ')}); copy it again")
    if image is None:
        raise UsageError(f"{name}: not an image that OpenCV can decode, or damaged")
    if image.dtype == np.uint16:
        image = _to_eight_bits(np.asarray(image, np.uint16))
    elif image.dtype != np.uint8:
        raise UsageError(f"{name}: {image.dtype} samples; save it with 8 or 16 bits")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, image), np.uint8)


def _to_eight_bits(image: NDArray[np.uint16]) -> NDArray[np.uint8]:
    used = int(image.max(initial=0)).bit_length()
    bits = 8 if used <= 8 else next(bits for bits in _SIGNIFICANT_BITS if used <= bits)
    return (image >> (bits - 8)).astype(np.uint8)


def _has_bad_checksum(content: bytes) -> bool:
    """Whether a PNG's pixel data differ from their CRC; OpenCV does not look at it everywhere."""
    position = len(_PNG)
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            return False
        kind = content[position + 4 : position + 8]
        # What is not critical to the picture (a lower-case letter) may be broken.
        if kind[:1].isupper():
            (stored,) = struct.unpack_from(">I", content, end)
            if zlib.crc32(memoryview(content)[position + 4 : end]) != stored:
                return True
        position = end + 4
    return False


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

    `left_out` are the files named as results of those photographs (`eye_mask.png` beside
    `eye.jpg`): they are not read, and as a user may have drawn them, not to be written over either.

    Raises:
        UsageError: it names nothing.
    """

    live = False

    def __init__(self, pattern: str) -> None:
        self.uri = pattern
        self.paths, self.left_out = _find(pattern)
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
        path = self.paths[index]
        return Frame(index, path.stem, image, time.time(), elapsed_ms, str(path))

    def close(self) -> None:
        pass


def _find(pattern: str) -> tuple[list[Path], list[Path]]:
    """The photographs, and what lies beside them under the name of a result."""
    path = Path(pattern)
    if path.is_dir():
        return _photographs(path.iterdir(), pattern)
    if path.exists():
        if not path.is_file():
            raise UsageError(f"{pattern}: is not a regular file; name a photograph")
        return [path], []
    if glob.has_magic(pattern):
        names = glob.iglob(pattern, recursive=True)  # noqa: PTH207
        return _photographs(_once_each(map(Path, names)), pattern)
    raise UsageError(f"{pattern}: no such file or folder")


def _once_each(paths: Iterable[Path]) -> list[Path]:
    """Every file under its shortest path: "**" follows a link that leads back, forty times."""
    real: dict[Path, Path] = {}
    for path in sorted(paths, key=lambda p: (len(p.parts), p)):
        real.setdefault(path.resolve(), path)
    return list(real.values())


def _photographs(paths: Iterable[Path], pattern: str) -> tuple[list[Path], list[Path]]:
    files = sorted(path for path in paths if path.is_file())
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    stems = {path.stem for path in images}
    if images:
        left_out = [path for path in images if _is_result(path, stems)]
        return [path for path in images if not _is_result(path, stems)], left_out
    video = next((path for path in files if path.suffix.lower() in VIDEO_SUFFIXES), None)
    if video is not None:
        raise UsageError(f"{pattern}: only videos here; name one of them, such as {video}")
    if files:
        raise UsageError(f"{pattern}: no images among these files ({', '.join(SUFFIXES)})")
    if glob.has_magic(pattern):
        raise UsageError(f"{pattern}: no file matches")
    raise UsageError(f"{pattern}: no images in this folder ({', '.join(SUFFIXES)})")


def _is_result(path: Path, stems: set[str]) -> bool:
    result = _RESULT.fullmatch(path.stem)
    return path.suffix == ".png" and result is not None and result[1] in stems
