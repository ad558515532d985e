"""What is kept of an eye: its landmarks and its centre lines in 4 KB, without a picture of it.

Coordinates are in diameters of the field of view from the centre of its circle, x to the right and
y down, so that photographs of any resolution compare. All numbers are little-endian:

| bytes | holds |
|---|---|
| 4 | "EVRT" |
| 1 | version of the format, 1 |
| 1 | captures merged, 1 to 16 |
| 2, 2 | number of landmarks (at most 96), of samples (at most 512) |
| 128 | what was seen: 32x32 bits over [-1, 1) in x and y, row by row, the first bit the highest |
| 8 each | landmarks: x, y (int16, 1/32768), direction (1/256 turn), calibre (1/4096), kind, seen |
| 6 each | samples of the centre lines: x, y, axis (1/256 half turn), seen |
| 4 | CRC-32 of all before it: damage, not forgery; sealing it is the store's matter |
"""

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import ArtifactError

VERSION = 1
MAX_CAPTURES = 16
MAX_LANDMARKS = 96
MAX_SAMPLES = 512
GRID = 32  # cells to a side over [-1, 1)
KINDS = ("bifurcation", "crossing")
UNIT = 32768  # steps of a coordinate to the diameter

LANDMARK = np.dtype(
    [("x", "<i2"), ("y", "<i2"), ("direction", "u1"), ("calibre", "u1"), ("kind", "u1"),
     ("seen", "u1")]
)  # fmt: skip
SAMPLE = np.dtype([("x", "<i2"), ("y", "<i2"), ("axis", "u1"), ("seen", "u1")])
_HEADER = struct.Struct("<4sBBHH")
_MAGIC = b"EVRT"
_FIELD_BYTES = GRID * GRID // 8
_CRC = struct.Struct("<I")
_LEAST = _HEADER.size + _FIELD_BYTES + _CRC.size
MAX_BYTES = _LEAST + MAX_LANDMARKS * LANDMARK.itemsize + MAX_SAMPLES * SAMPLE.itemsize


@dataclass(frozen=True, eq=False)
class Template:
    """One eye, from `captures` photographs of it.

    field: (32, 32) bool over [-1, 1) diameters, rows y: the cells whose centre was seen.
    landmarks: (L,) of LANDMARK, bifurcations and crossings; `seen` counts the captures.
    samples: (N,) of SAMPLE, places on the centre lines and the direction of the vessel there.
    """

    captures: int
    field: NDArray[np.bool_]
    landmarks: NDArray[np.void]
    samples: NDArray[np.void]

    def to_bytes(self) -> bytes:
        """As the table above has it."""
        counts = len(self.landmarks), len(self.samples)
        content = _HEADER.pack(_MAGIC, VERSION, self.captures, *counts)
        content += np.packbits(self.field).tobytes()
        content += self.landmarks.tobytes() + self.samples.tobytes()
        return content + _CRC.pack(zlib.crc32(content))

    @property
    def size_bytes(self) -> int:
        """Of `to_bytes()`."""
        points = self.landmarks.nbytes + self.samples.nbytes
        return _LEAST + points

    @cached_property
    def points(self) -> NDArray[np.float32]:
        """(N, 2) float32: x and y of the samples in diameters."""
        return positions(self.samples)

    @cached_property
    def axes(self) -> NDArray[np.float32]:
        """(N,) float32: the samples' axes in radians, [0, pi), from x towards y."""
        return np.asarray(self.samples["axis"] * np.float32(np.pi / 256))


def positions(records: NDArray[np.void]) -> NDArray[np.float32]:
    """(N, 2) float32 in diameters, of landmarks or samples."""
    both = np.stack([records["x"], records["y"]], axis=1)
    return both.astype(np.float32) / np.float32(UNIT)


def as_complex(places: NDArray[np.float32]) -> NDArray[np.complex64]:
    """(N,) x + iy, of places (N, 2)."""
    return np.asarray(places @ np.array([1, 1j], np.complex64), np.complex64)


def quantised(diameters: NDArray[np.floating]) -> NDArray[np.int16]:
    """Coordinates as they are stored; what lies outside [-1, 1) moves to its border."""
    return np.clip(np.round(diameters * UNIT), -UNIT, UNIT - 1).astype(np.int16)


def parse(content: bytes) -> Template:
    """The template that `to_bytes` gave.

    Raises:
        ArtifactError: too short or too long, another format or version, a count or a value out of
            its range, a wrong checksum. No other error, whatever the bytes.
    """
    if not _LEAST <= len(content) <= MAX_BYTES:
        raise _damaged(f"{len(content)} bytes; it has {_LEAST} to {MAX_BYTES}")
    magic, version, captures, n_landmarks, n_samples = _HEADER.unpack_from(content)
    if magic != _MAGIC:
        raise _damaged(f"starts with {magic!r}, not {_MAGIC!r}")
    if version != VERSION:
        raise ArtifactError(
            f"template: version {version} of the format; this reads {VERSION}: update edge_vessel"
        )
    body, (checksum,) = content[: -_CRC.size], _CRC.unpack(content[-_CRC.size :])
    if zlib.crc32(body) != checksum:
        raise _damaged("its checksum is wrong")
    if not (1 <= captures <= MAX_CAPTURES):
        raise _damaged(f"{captures} captures; it has 1 to {MAX_CAPTURES}")
    if n_landmarks > MAX_LANDMARKS or n_samples > MAX_SAMPLES:
        raise _damaged(f"{n_landmarks} landmarks and {n_samples} samples are too many")
    start = _HEADER.size + _FIELD_BYTES
    middle = start + n_landmarks * LANDMARK.itemsize
    if middle + n_samples * SAMPLE.itemsize != len(body):
        raise _damaged(f"{len(content)} bytes do not hold what it counts")
    bits = np.frombuffer(body[_HEADER.size : start], np.uint8)
    landmarks = np.frombuffer(body[start:middle], LANDMARK)
    samples = np.frombuffer(body[middle:], SAMPLE)
    for records in (landmarks, samples):
        if len(records) and not (records["seen"].min() >= 1 and records["seen"].max() <= captures):
            raise _damaged(f"a point was seen in none or in more than its {captures} captures")
    if len(landmarks) and landmarks["kind"].max() >= len(KINDS):
        raise _damaged(f"a landmark of kind {landmarks['kind'].max()}; kinds are 0 and 1")
    field = np.unpackbits(bits).reshape(GRID, GRID).astype(np.bool_)
    return Template(captures, field, landmarks, samples)


def _damaged(fault: str) -> ArtifactError:
    return ArtifactError(f"template: damaged: {fault}; enrol again")
