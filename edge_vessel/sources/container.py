"""What a video container announces: a recording that broke off holds less."""

import errno
import struct
from collections.abc import Iterator
from pathlib import Path

_RIFF_HEADER = 8
_BOX_HEADER = 8
_LONG_BOX_HEADER = 16
_TO_END = 0
_LONG = 1
_MAX_INDEX_BYTES = 1 << 26
_TRACK = (b"trak", b"mdia", b"edts")


def missing_bytes(path: Path) -> int:
    """The bytes that a file lacks by its own headers; 0 for containers without such a header.

    AVI: the sizes of its RIFF chunks (OpenDML has several). MP4 and MOV: the sizes of the boxes of
    the top level (ISO/IEC 14496-12, clause 4.2).

    Raises:
        OSError: the file cannot be read, or is a pipe or a device.
    """
    if not path.is_file():
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LONG_BOX_HEADER)
        riff, boxes = start[:4] == b"RIFF", start[4:8] == b"ftyp"
        position = 0
        while (riff or boxes) and position < size:
            file.seek(position)
            length = _riff_length(file.read(8)) if riff else _box_length(file.read(16))
            if length == _TO_END:
                return 0
            position += length
    return max(0, position - size)


def _riff_length(header: bytes) -> int:
    if len(header) < _RIFF_HEADER or header[:4] != b"RIFF":
        return _TO_END
    length: int = struct.unpack("<I", header[4:])[0]
    return _RIFF_HEADER + length + length % 2


def _box_length(header: bytes) -> int:
    if len(header) < _BOX_HEADER:
        return _BOX_HEADER
    length: int = struct.unpack(">I", header[:4])[0]
    if length == _LONG and len(header) == _LONG_BOX_HEADER:
        length = struct.unpack(">Q", header[8:])[0]
    return length if length == _TO_END else max(length, _BOX_HEADER)


def shown_share(path: Path) -> float:
    """The share of an MP4's or MOV's pictures that its edit list shows, 0..1; 1 without one.

    A clip that was trimmed without encoding it anew still holds and counts what was cut away
    (ISO/IEC 14496-12, clause 8.6.6).

    Raises:
        OSError: the file cannot be read.
    """
    try:
        boxes = list(_track_boxes(_movie_box(path)))
        movie_scale = next(_scale_and_duration(box)[0] for kind, box in boxes if kind == b"mvhd")
        tracks = [number for number, (kind, _) in enumerate(boxes) if kind == b"trak"]
        for begin, end in zip(tracks, [*tracks[1:], len(boxes)], strict=True):
            track = dict(boxes[begin:end])
            if track.get(b"hdlr", b"")[8:12] == b"vide" and b"elst" in track:
                scale, duration = _scale_and_duration(track[b"mdhd"])
                return min(1.0, _shown(track[b"elst"]) / movie_scale * scale / duration)
    except (struct.error, StopIteration, KeyError, ZeroDivisionError):
        pass  # damaged or another container: nothing is known to be cut away
    return 1.0


def _movie_box(path: Path) -> bytes:
    size, position = path.stat().st_size, 0
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            header = file.read(_LONG_BOX_HEADER)
            length = _box_length(header)
            if header[4:8] == b"moov":
                file.seek(position + _BOX_HEADER)
                return file.read(min(length, _MAX_INDEX_BYTES) - _BOX_HEADER)
            if length == _TO_END or (position == 0 and header[4:8] != b"ftyp"):
                break
            position += length
    return b""


def _track_boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each box, and of those inside the ones that make up a track."""
    position = 0
    while position + _BOX_HEADER <= len(content):
        kind = content[position + 4 : position + 8]
        length = _box_length(content[position : position + _LONG_BOX_HEADER])
        if length == _TO_END:
            return
        body = content[position + _BOX_HEADER : position + length]
        yield kind, body
        if kind in _TRACK:
            yield from _track_boxes(body)
        position += length


def _scale_and_duration(header: bytes) -> tuple[int, int]:
    """Units a second and duration in them, of a movie's or a medium's header."""
    layout, offset = (">IQ", 20) if header[:1] == b"\x01" else (">II", 12)
    scale, duration = struct.unpack_from(layout, header, offset)
    return scale, duration


def _shown(edits: bytes) -> int:
    """The sum of what an edit list shows, in the movie's units."""
    entry = ">QqI" if edits[:1] == b"\x01" else ">IiI"
    (count,) = struct.unpack_from(">I", edits, 4)
    whole = edits[8 : 8 + count * struct.calcsize(entry)]
    return sum(duration for duration, start, _ in struct.iter_unpack(entry, whole) if start >= 0)
