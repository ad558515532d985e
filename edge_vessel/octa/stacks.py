"""The voxels of one channel from files, a few B-scans at a time."""

import itertools
import re
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import UsageError
from edge_vessel.sources.decoder_lines import first_damage, library_lines
from edge_vessel.sources.images import SUFFIXES, is_truncated

TIFF_SUFFIXES = (".tif", ".tiff")
_MAX_SCAN_BYTES = 1 << 26
_MAX_SCANS = 8192
_MAX_SCAN_VOXELS = 1 << 21
_TYPES = (np.uint8, np.uint16, np.float16, np.float32, np.float64)


class Stack(Protocol):
    """One channel of a volume. A B-scan is (depth, width); `height` counts them."""

    where: str
    depth: int
    height: int
    width: int

    def scans(self, start: int, stop: int) -> NDArray[np.generic]:
        """B-scans `start` to `stop` as (depth, stop - start, width), in the file's own type.

        Raises:
            UsageError: they are damaged, or of another size than the first.
        """


class ArrayStack:
    """(depth, height, width) in memory."""

    def __init__(self, array: NDArray[np.generic], where: str) -> None:
        self._array = array
        self.where = where
        self.depth, self.height, self.width = array.shape

    def scans(self, start: int, stop: int) -> NDArray[np.generic]:
        """See `Stack.scans`."""
        return self._array[:, start:stop]


class ScanFolder:
    """A folder of B-scans, one picture each, in the order of the numbers in their names."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        try:
            found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
        except OSError as error:
            raise UsageError(f"{folder}: cannot be listed: {error.strerror}") from error
        # Hidden files are what a Mac leaves beside each file that it copies.
        self._paths = sorted((one for one in found if one.name[0] != "."), key=_by_number)
        if not self._paths:
            raise UsageError(f"{folder}: holds no B-scans ({', '.join(SUFFIXES)})")
        _check_numbers(self._paths)
        self.height = len(self._paths)
        self.depth, self.width = _read_scan(self._paths[0]).shape

    def scans(self, start: int, stop: int) -> NDArray[np.generic]:
        """See `Stack.scans`."""
        found = [_read_scan(path) for path in self._paths[start:stop]]
        return _stacked(found, self, [str(path) for path in self._paths[start:stop]])


class TiffStack:
    """`height` pages of a TIFF from page `first` on, one B-scan each."""

    def __init__(self, path: Path, first: int, height: int) -> None:
        self.where = str(path)
        self._path, self._first = path, first
        self.height = height
        self.depth, self.width = self._pages(0, 1)[0].shape

    def scans(self, start: int, stop: int) -> NDArray[np.generic]:
        """See `Stack.scans`."""
        names = [f"{self.where}, page {self._first + page + 1}" for page in range(start, stop)]
        return _stacked(self._pages(start, stop - start), self, names)

    def _pages(self, start: int, count: int) -> list[NDArray[np.generic]]:
        lines: list[str] = []
        try:
            with library_lines(lines):
                done, pages = cv2.imreadmulti(
                    self.where, start=self._first + start, count=count, flags=cv2.IMREAD_UNCHANGED
                )
        except cv2.error as error:
            raise UsageError(f"{self.where}: OpenCV cannot decode it: {error.err}") from error
        damage = first_damage(lines, b"")
        if damage or not done or len(pages) != count:
            raise UsageError(f"{self.where}: damaged TIFF ({damage or 'pages are missing'})")
        names = [f"{self.where}, page {self._first + start + page + 1}" for page in range(count)]
        return [_grey(page, name) for page, name in zip(pages, names, strict=True)]


def count_pages(path: Path) -> int:
    """Of a TIFF.

    Raises:
        UsageError: it is damaged, or no regular file.
    """
    if not path.is_file():  # a pipe would hold us up for ever
        raise UsageError(f"{path}: is not a regular file")
    lines: list[str] = []
    try:
        path.open("rb").close()
    except OSError as error:  # OpenCV would call it damaged
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    with library_lines(lines):
        pages = int(cv2.imcount(str(path)))
    damage, _, _ = first_damage(lines, b"").partition(": OpenCV(")
    if damage or pages < 1:
        raise UsageError(f"{path}: damaged TIFF ({damage or 'no pages'}); copy it again")
    return pages


def check_type(dtype: np.dtype[np.generic], where: str) -> None:
    """Raises UsageError where voxels of this type are not taken."""
    if dtype.newbyteorder("=") not in _TYPES:
        raise UsageError(f"{where}: {dtype} voxels; save it as uint8, uint16 or float32")


def check_size(stack: Stack) -> None:
    """Raises UsageError where a row of patches would not fit into a board's memory."""
    if stack.height > _MAX_SCANS or stack.depth * stack.width > _MAX_SCAN_VOXELS:
        raise UsageError(
            f"{stack.where}: {stack.height} B-scans of {stack.depth}x{stack.width} voxels; at most "
            f"{_MAX_SCANS} of {_MAX_SCAN_VOXELS} voxels are taken: cut it"
        )


def _read_scan(path: Path) -> NDArray[np.generic]:
    content = read_regular(path, _MAX_SCAN_BYTES, UsageError, follow_symlinks=True)
    lines: list[str] = []
    scan = None
    try:
        with library_lines(lines):
            if content and not is_truncated(content):
                scan = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UsageError(f"{path}: OpenCV cannot decode it: {error.err}") from error
    damage = first_damage(lines, content)
    if scan is None or damage:
        raise UsageError(f"{path}: damaged B-scan ({damage or 'no whole image'}); copy it again")
    return _grey(scan, str(path))


def _grey(scan: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    """A grey picture stored as a coloured one is taken for what it is."""
    if scan.ndim == 2:
        return scan
    grey = scan[:, :, 0]
    if (scan[:, :, 1:3] != grey[:, :, None]).any():
        raise UsageError(f"{where}: is a colour picture; a B-scan is grey")
    return grey


def _stacked(
    scans: list[NDArray[np.generic]], stack: Stack, names: list[str]
) -> NDArray[np.generic]:
    for scan, name in zip(scans, names, strict=True):
        if scan.shape != (stack.depth, stack.width):
            raise UsageError(
                f"{name}: is {scan.shape[0]}x{scan.shape[1]}, the first B-scan is "
                f"{stack.depth}x{stack.width}; all have one size"
            )
    return np.stack(scans, axis=1)


def _by_number(path: Path) -> tuple[list[int], str]:
    """2.bmp before 10.bmp."""
    return _numbers(path), path.name


def _numbers(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"[0-9]{1,9}", path.stem)]


def _check_numbers(paths: list[Path]) -> None:
    """A lost B-scan, a copy of one, or a picture of something else would make another eye."""
    for before, after in itertools.pairwise(paths):
        step = [
            b - a for a, b in itertools.zip_longest(_numbers(before), _numbers(after), fillvalue=-1)
        ]
        if sorted(step) != [0] * (len(step) - 1) + [1]:
            raise UsageError(
                f"{after}: follows {before.name}: a B-scan is missing, stands twice, or is none; "
                "number them without gaps"
            )
