"""How many bytes a video container announces: a recording that broke off holds fewer."""

import struct
from pathlib import Path

_RIFF_HEADER = 8
_BOX_HEADER = 8
_LONG_BOX_HEADER = 16
_TO_END = 0
_LONG = 1


def missing_bytes(path: Path) -> int:
    """The bytes that a file lacks by its own headers; 0 for containers without such a header.

    AVI: the sizes of its RIFF chunks (OpenDML has several). MP4 and MOV: the sizes of the boxes of
    the top level (ISO/IEC 14496-12, clause 4.2).

    Raises:
        OSError: the file cannot be read.
    """
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
