"""A volume of the eye, OCT and OCTA, read by bands of B-scans."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_vessel.errors import UsageError
from edge_vessel.octa.npy import NpyHeader, NpyStack, read_header
from edge_vessel.octa.stacks import (
    TIFF_SUFFIXES,
    ScanFolder,
    Stack,
    TiffStack,
    check_size,
    check_type,
    count_pages,
)

NAMES = ("OCT", "OCTA")
FORMS = ".npy, a multi-page TIFF, a folder with OCT and OCTA in it, or OCT_PATH,OCTA_PATH"
# Photographs come with a thumbnail or two as further pages; volumes have hundreds.
_MANY_PAGES = 16


@dataclass(frozen=True)
class Volume:
    """The channels that a network takes, of one size.

    `name` is for files of results, `uri` what the user gave.
    """

    uri: str
    name: str
    stacks: tuple[Stack, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(depth, height, width) in voxels."""
        first = self.stacks[0]
        return first.depth, first.height, first.width

    def band(self, start: int, stop: int, depth: int) -> NDArray[np.float32]:
        """B-scans `start` to `stop`, averaged along the depth to `depth` voxels.

        Returns:
            (channels, depth, stop - start, width) float32, 0 to 255: 8-bit values as they are,
            16-bit ones over 257, floating-point ones, 0 to 1 in the file, times 255.

        Raises:
            UsageError: voxels are damaged, not finite, or of another type.
        """
        _, _, width = self.shape
        band = np.empty((len(self.stacks), depth, stop - start, width), np.float32)
        for index, stack in enumerate(self.stacks):
            scans = stack.scans(start, stop)
            check_type(scans.dtype, stack.where)
            blocks = scans.reshape(depth, -1, *scans.shape[1:])
            means = blocks.mean(axis=1, dtype=np.float32)
            np.multiply(means, _to_bytes(scans, means, stack.where), out=band[index])
        return band


def is_volume(uri: str) -> bool:
    """Whether the name, or the file's pages, say that it is no photograph. Opens no volume."""
    path = Path(uri)
    try:
        if path.suffix.lower() == ".npy" or _pair(uri) is not None:
            return True
        if path.is_dir():
            return all(_member(path, name) is not None for name in NAMES)
        is_tiff = path.is_file() and path.suffix.lower() in TIFF_SUFFIXES
        return is_tiff and count_pages(path) >= _MANY_PAGES
    except (OSError, UsageError):  # a pipeline's description is longer than a name may be
        return False


def open_volume(uri: str, channels: Sequence[str], depth: int) -> Volume:
    """Opens what `uri` names; nothing but headers and the first B-scan is read yet.

    A `.npy` is (2, depth, height, width), OCT before OCTA; a TIFF holds the B-scans of OCT, then
    those of OCTA. A file of one channel is (depth, height, width), or those B-scans alone.

    Args:
        uri: see `FORMS`.
        channels: those that the network takes, of `NAMES`.
        depth: of the network; the volume's is a whole multiple of it.

    Raises:
        UsageError: there is no such volume, it is damaged or too large, lacks a channel, or has
            another depth.
    """
    try:
        volume = _open(uri, channels)
    except OSError as error:  # a folder of others, a name that is too long
        raise UsageError(f"{error.filename}: cannot be read: {error.strerror}") from error
    stacks = volume.stacks
    for stack in stacks:
        check_size(stack)
        if (stack.depth, stack.height, stack.width) != volume.shape:
            raise UsageError(
                f"{stack.where}: is {stack.depth}x{stack.height}x{stack.width} (depth x height x "
                f"width), {stacks[0].where} is {'x'.join(map(str, volume.shape))}; both show one "
                "volume"
            )
    if volume.shape[0] % depth:
        raise UsageError(
            f"{uri}: its depth is {volume.shape[0]} voxels, the network takes whole multiples of "
            f"{depth}: crop or resample it"
        )
    return volume


def _open(uri: str, channels: Sequence[str]) -> Volume:
    paths = _paths(uri, channels)
    if len(paths) == len(channels):
        stacks = [_stack(path) for path in paths]
    else:
        found = dict(zip(NAMES, _both(paths[0]), strict=True))
        stacks = [found[name] for name in channels]
    shown = Path(uri) if len(paths) == 1 or Path(uri).exists() else paths[-1]
    # "." and ".." have no name of their own.
    name = shown.resolve().name if shown.is_dir() else shown.stem
    return Volume(uri, name, tuple(stacks))


def _paths(uri: str, channels: Sequence[str]) -> list[Path]:
    """A path for each channel, or one for both."""
    pair = _pair(uri)
    if pair is not None:
        return [pair[NAMES.index(name)] for name in channels]
    path = Path(uri)
    if not path.exists():
        raise UsageError(f"{uri}: no such volume; give {FORMS}")
    if not path.is_dir():
        return [path]
    members = [_member(path, name) for name in channels]
    paths = [member for member in members if member is not None]
    if len(paths) != len(channels):
        missing = channels[members.index(None)]
        raise UsageError(
            f"{path}: holds no {missing} (a folder of B-scans, {missing}.npy or {missing}.tif)"
        )
    return paths


def _pair(uri: str) -> tuple[Path, Path] | None:
    """OCT_PATH,OCTA_PATH."""
    first, comma, second = uri.partition(",")
    if not comma or Path(uri).exists():
        return None
    paths = Path(first), Path(second)
    return paths if first and second and all(path.exists() for path in paths) else None


def _member(folder: Path, name: str) -> Path | None:
    """What holds one channel in the folder of a volume."""
    candidates = [folder / name, *(folder / f"{name}{end}" for end in (".npy", *TIFF_SUFFIXES))]
    return next((path for path in candidates if path.exists()), None)


def _stack(path: Path) -> Stack:
    """Of a single channel."""
    if path.is_dir():
        return ScanFolder(path)
    if path.suffix.lower() in TIFF_SUFFIXES:
        return TiffStack(path, 0, count_pages(path))
    return NpyStack(_npy(path, 3))


def _both(path: Path) -> tuple[Stack, Stack]:
    """Of a file with both channels."""
    if path.suffix.lower() in TIFF_SUFFIXES:
        pages = count_pages(path)
        if pages < 2 or pages % 2:
            raise UsageError(
                f"{path}: {pages} pages; a volume has the B-scans of OCT, then as many of OCTA"
            )
        return TiffStack(path, 0, pages // 2), TiffStack(path, pages // 2, pages // 2)
    header = _npy(path, 4)
    if header.shape[0] != len(NAMES):
        raise UsageError(
            f"{path}: {header.shape[0]} channels; save OCT and OCTA as (2, depth, height, width)"
        )
    return NpyStack(header, 0), NpyStack(header, 1)


def _npy(path: Path, dimensions: int) -> NpyHeader:
    if path.suffix.lower() != ".npy":
        raise UsageError(f"{path}: is no volume; give {FORMS}")
    header = read_header(path, dimensions)
    check_type(header.dtype, str(path))
    return header


def _to_bytes(scans: NDArray[np.generic], means: NDArray[np.float32], where: str) -> np.float32:
    """What brings voxels to 0 to 255; `means` of them show NaN and infinities."""
    if scans.dtype == np.uint8:
        return np.float32(1)
    if scans.dtype == np.uint16:
        return np.float32(1 / 257)
    if not np.isfinite(means).all():
        raise UsageError(f"{where}: holds voxels that are not finite; save it without NaN")
    if scans.min() < 0 or scans.max() > 1:
        raise UsageError(
            f"{where}: voxels from {scans.min():g} to {scans.max():g}; floating-point ones go from "
            "0 to 1"
        )
    return np.float32(255)
