"""Voxels of a `.npy`, read a few B-scans at a time.

The file is not mapped: where a mapped one shrinks, or its disk fails, a signal ends the process.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError


@dataclass(frozen=True)
class NpyHeader:
    """What a `.npy` says of itself; its voxels begin at byte `offset`, `fortran` is their order.
    `stamp` tells whether the file is still the same."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool
    offset: int
    stamp: tuple[int, ...]


class NpyStack:
    """One channel of (depth, height, width) or (channels, depth, height, width)."""

    def __init__(self, header: NpyHeader, channel: int = 0) -> None:
        self._header, self._channel = header, channel
        self.where = str(header.path)
        self._channels, self.depth, self.height, self.width = (1, *header.shape)[-4:]

    def scans(self, start: int, stop: int) -> NDArray[np.generic]:
        """See `Stack.scans`; UsageError too where the file changed since its header was read."""
        rows = stop - start
        if self._header.fortran:  # the same as (width, height, depth, channels) in C order
            inner = self.depth * self._channels
            found = self._read(self.width, start * inner, rows * inner, self.height * inner)
            scans = found.reshape(self.width, rows, self.depth, self._channels).T[self._channel]
        else:
            first = (self._channel * self.depth * self.height + start) * self.width
            found = self._read(self.depth, first, rows * self.width, self.height * self.width)
            scans = found.reshape(self.depth, rows, self.width)
        native: NDArray[np.generic] = scans.astype(scans.dtype.newbyteorder("="), copy=False)
        return native

    def _read(self, count: int, first: int, length: int, step: int) -> NDArray[np.generic]:
        """(count, length) values, each row `step` of them behind the one before."""
        rows = np.empty((count, length), self._header.dtype)
        size = rows.itemsize
        try:
            with self._header.path.open("rb", buffering=0) as file:
                same = _stamp(os.fstat(file.fileno())) == self._header.stamp
                for index, row in enumerate(rows):
                    at = self._header.offset + (first + index * step) * size
                    same = same and os.preadv(file.fileno(), [row.data], at) == row.nbytes
        except OSError as error:
            raise UsageError(f"{self.where}: cannot be read: {error.strerror}") from error
        if not same:
            raise UsageError(f"{self.where}: changed while it was read; run again")
        return rows


def read_header(path: Path, dimensions: int) -> NpyHeader:
    """Reads it, and none of the voxels.

    Raises:
        UsageError: it is no `.npy`, shorter than it says, or has other than `dimensions` axes.
    """
    if not path.is_file():
        raise UsageError(f"{path}: is not a regular file")
    try:
        stamp = _stamp(path.stat())
        with np.errstate(over="raise"):
            mapped = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # of a hostile header numpy raises whatever its parsers do
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{path}: damaged or no .npy ({reason}); save it again") from error
    wanted = ("channels, " if dimensions == 4 else "") + "depth, height, width"
    if mapped.ndim != dimensions or 0 in mapped.shape:
        raise UsageError(f"{path}: is {mapped.shape}, not ({wanted})")
    fortran = not mapped.flags.c_contiguous
    return NpyHeader(path, mapped.shape, mapped.dtype, fortran, mapped.offset, stamp)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
