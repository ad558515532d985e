"""Photographs to be compared: whose they are, and their vessel maps, kept for the next time."""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_vessel.atomic import write_file
from edge_vessel.biometrics.extraction import extract
from edge_vessel.biometrics.quality import Quality, judge
from edge_vessel.biometrics.template import Template
from edge_vessel.biometrics.virtual_camera import look, pair_of_views
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import UsageError
from edge_vessel.field_of_view import FieldOfView, find_field_of_view
from edge_vessel.segmenter import Segmenter
from edge_vessel.sources.images import ImageFiles, read_image
from edge_vessel.vessels import Field, VesselGraph, analyse

_MAX_MAP_BYTES = 1 << 28


@dataclass(frozen=True)
class Picture:
    """A photograph of `subject`'s eye, (H, W, 3) uint8 RGB."""

    subject: str
    name: str
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Map:
    """The vessels of a photograph, (H, W) bool, and its field of view."""

    mask: NDArray[np.bool_]
    lit: NDArray[np.bool_]
    fov: FieldOfView


@dataclass(frozen=True)
class Capture:
    """What is compared; `vessels`, `graph` and `template` are None where no fundus was found.
    `quality` is what the kiosk would have said; it refuses nothing here."""

    subject: str
    name: str
    vessels: Map | None
    graph: VesselGraph | None
    template: Template | None
    quality: Quality


class Acquisition:
    """Makes captures of photographs.

    Args:
        cache: a folder for the vessel maps; they identify a person: only its owner may read them.
    """

    def __init__(self, segmenter: Segmenter, model_sha256: str, cache: Path | None) -> None:
        self._segmenter = segmenter
        self._model = model_sha256[:16]
        self._cache = cache

    def capture(self, picture: Picture) -> Capture:
        """Raises DeviceError where the engine or the disk fails, UsageError for a damaged map."""
        vessels = self._vessels(picture.image)
        if vessels is None:
            nothing = np.zeros(picture.image.shape[:2], np.bool_)
            quality = judge(picture.image, nothing, None)
            return Capture(picture.subject, picture.name, None, None, None, quality)
        quality = judge(picture.image, vessels.mask, vessels.fov)
        field = Field(vessels.lit, 2 * vessels.fov.radius)
        found = analyse(vessels.mask, field)
        template = extract(found, vessels.fov, field)
        return Capture(picture.subject, picture.name, vessels, found.graph, template, quality)

    def _vessels(self, image: NDArray[np.uint8]) -> Map | None:
        if self._cache is None:
            return self._segmented(image)
        digest = hashlib.sha256(image.tobytes()).hexdigest()[:32]
        path = self._cache / f"{digest}-{self._model}.npz"
        if path.exists():
            return _read(path)
        vessels = self._segmented(image)
        if vessels is not None:
            content = io.BytesIO()
            circle = [vessels.fov.centre_x, vessels.fov.centre_y, vessels.fov.radius]
            np.savez_compressed(content, mask=vessels.mask, lit=vessels.lit, circle=circle)
            write_file(path, content.getvalue(), 0o600)
        return vessels

    def _segmented(self, image: NDArray[np.uint8]) -> Map | None:
        found = self._segmenter.segment(image)
        if found.fov is None:
            return None
        return Map(found.mask, Field.of(image, found.fov).lit, found.fov)


def _read(path: Path) -> Map:
    content = read_regular(path, _MAX_MAP_BYTES, UsageError)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            circle = FieldOfView(*map(float, stored["circle"]))
            return Map(stored["mask"], stored["lit"], circle)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: no vessel map; remove it, it is made anew") from error


def people(folder: Path) -> list[tuple[str, Path]]:
    """(subject, photograph): the folder holds one for each person with captures of one eye.

    Raises:
        UsageError: fewer than two people, or none with two captures.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name one that holds a folder for each person")
    subjects = sorted(one for one in folder.iterdir() if one.is_dir())
    found = [(one.name, photo) for one in subjects for photo in ImageFiles(str(one)).paths]
    if len(subjects) < 2 or len(found) == len(subjects):
        raise UsageError(
            f"{folder}: {len(subjects)} folders, {len(found)} photographs: it needs two people, "
            "one of them with two captures"
        )
    return found


def photographed(files: Sequence[tuple[str, Path]]) -> Iterator[Picture]:
    """One picture for each of `people`."""
    for subject, path in files:
        yield Picture(subject, path.name, read_image(path))


def synthetic(folders: Sequence[Path], seed: int) -> Iterator[Picture]:
    """Two pictures of each photograph, whose eye is taken for nobody else's in these folders; none
    where the photograph shows no fundus.

    Raises:
        UsageError: a folder without photographs, or an unreadable one.
    """
    rng = np.random.default_rng(seed)
    for folder in folders:
        for path in ImageFiles(str(folder)).paths:
            views = pair_of_views(rng)
            image = read_image(path)
            fov = find_field_of_view(image)
            if fov is not None:
                for name, view in zip(("reference", "probe"), views, strict=True):
                    subject = f"{folder.parent.name}/{folder.name}/{path.name}"
                    yield Picture(subject, name, look(image, fov, view))
