"""PNG files of each frame: the mask, the overlay, the probability, the landmarks."""

import os
import re
import tempfile
import unicodedata
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_vessel.atomic import DISK_FAULTS, sweep, write_file
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable
from edge_vessel.sinks.overlay import overlay
from edge_vessel.vessels.drawing import draw_landmarks

KINDS = frozenset({"mask", "overlay", "probability", "landmarks"})

# A vessel map identifies a person: the owner and the group read it, nobody else.
_FILE_MODE = 0o640
_FOLDER_MODE = 0o750
_IMAGE_SUFFIXES = frozenset(
    ".bmp .gif .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".split()  # noqa: SIM905
)
# ext4 takes 255 bytes; the longest ending and the temporary name's affixes need 40.
_NAME_BYTES = 200
_TRIAL = ".edge-vessel"


class FileSink:
    """Writes `<name>_mask.png` (8-bit, 0 or 255), `<name>_overlay.png` (8-bit RGB),
    `<name>_probability.png` (16-bit, probability * 65535 rounded) and `<name>_landmarks.png` (8-bit
    RGB, of results that have `vessels`), each in the photograph's size.

    Each file is whole or not there. One without a fundus leaves an
    empty mask. Names that meet a second time in one run get `_2`, `_3`; the files of an earlier run
    with the same names are replaced, an input never is. What a killed run left under a temporary
    name is removed.
    """

    def __init__(self, folder: Path, save: frozenset[str]) -> None:
        """Makes `folder` where it is missing, and tries it.

        Args:
            folder: its missing parents are made too.
            save: at least one of `KINDS`.

        Raises:
            UsageError: `save` is empty or names an unknown kind; `folder` is a file or forbidden.
            DeviceError: the disk is full, read-only or failing.
        """
        if not save or not save <= KINDS:
            unknown = ", ".join(sorted(save - KINDS)) or "nothing"
            raise UsageError(f"cannot save {unknown}: choose from {', '.join(sorted(KINDS))}")
        self._folder = folder
        self._save = save
        self._taken: set[str] = set()
        self._copies: dict[str, int] = {}
        _try_folder(folder)
        for kind in KINDS:
            sweep(folder, f"_{kind}.png")
        sweep(folder, _TRIAL.lstrip("."))

    def write(self, result: Result) -> None:
        """Writes the chosen files of one frame.

        Raises:
            DeviceError: the disk is full or the folder is gone; no file is half-written.
        """
        name = self._free_name(result.frame.name)
        paths = {kind: self._folder / f"{name}_{kind}.png" for kind in sorted(self._save)}
        for kind, path in paths.items():
            content = _png(path, _picture(kind, result))
            write_file(path, content, _FILE_MODE)

    def unreadable(self, frame: Unreadable) -> None:
        """Leaves no file."""

    def event(self, event: CameraEvent) -> None:
        """Leaves no file."""

    def close(self) -> None:
        """Nothing is open between two frames."""

    def _free_name(self, source_name: str) -> str:
        name = file_name(source_name)
        # FAT, usual on a card, takes "A.png" and "a.png" for one file.
        key = name.casefold()
        candidate = name
        while candidate.casefold() in self._taken:
            self._copies[key] = self._copies.get(key, 1) + 1
            candidate = f"{name}_{self._copies[key]}"
        self._taken.add(candidate.casefold())
        return candidate


def file_name(source_name: str) -> str:
    """The last part of `source_name` without an image's suffix, as a safe name for a file.

    Letters and digits of any script, `.`, `_` and `-` stay; a run of others becomes one `_`. At
    most 200 bytes of UTF-8; "frame" where nothing is left.
    """
    path = PurePosixPath(source_name)
    stem = path.stem if path.suffix.lower() in _IMAGE_SUFFIXES else path.name
    safe = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", stem)).lstrip(".-")
    cut = safe.encode("utf-8", "ignore")[:_NAME_BYTES].decode("utf-8", "ignore")
    return cut if cut.strip("._-") else "frame"


def _picture(kind: str, result: Result) -> NDArray[np.uint8] | NDArray[np.uint16]:
    image, segmentation = result.frame.image, result.segmentation
    if kind == "mask":
        return segmentation.mask.astype(np.uint8) * np.uint8(255)
    if kind == "probability":
        scaled = segmentation.probability * np.float32(65535)
        np.rint(scaled, out=scaled)
        return scaled.astype(np.uint16)
    if kind == "overlay":
        drawn = overlay(image, segmentation.mask, segmentation.fov)
    elif result.vessels is None:
        drawn = image.copy()
    else:
        drawn = draw_landmarks(image, result.vessels.graph, result.vessels.landmarks)
    cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR, dst=drawn)
    return drawn


def _png(path: Path, picture: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    try:
        done, content = cv2.imencode(".png", picture)
    except (cv2.error, MemoryError) as error:
        reason = str(getattr(error, "err", None) or type(error).__name__)
        raise DeviceError(f"{path}: OpenCV made no PNG of it: {reason}") from error
    if not done:
        raise DeviceError(f"{path}: OpenCV made no PNG of it")
    return content.tobytes()


def _try_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        descriptor, trial = tempfile.mkstemp(prefix=f"{_TRIAL}.", dir=folder)
        try:
            # An empty file fits on a full disk.
            os.write(descriptor, bytes(4096))
        finally:
            os.close(descriptor)
            Path(trial).unlink()
    except FileExistsError as error:
        raise UsageError(f"{folder}: is a file: name a folder for the results") from error
    except OSError as error:
        kind = DeviceError if error.errno in DISK_FAULTS else UsageError
        raise kind(
            f"{folder}: results cannot be written here: {error.strerror}: name another folder"
        ) from error
