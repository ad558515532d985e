"""What is segmented again and again while it is timed: a photograph or a volume."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.input_image import LONGEST_NAME, photograph
from edge_vessel import selftest
from edge_vessel.artifact import Artifact
from edge_vessel.command_line import printable
from edge_vessel.errors import UsageError
from edge_vessel.manifest import OctaManifest
from edge_vessel.octa.segmenter import OctaSegmentation, OctaSegmenter
from edge_vessel.octa.sliding import starts
from edge_vessel.octa.stacks import ArrayStack
from edge_vessel.octa.volume import Volume
from edge_vessel.segmenter import Segmentation, Segmenter

_PLANE_PX = 304  # of OCTA-500's smaller field, both ways


@dataclass(frozen=True)
class TimedInput:
    """`size` is (height, width) of what `run` segments once, in `patches`."""

    run: Callable[[], Segmentation | OctaSegmentation]
    engine: str
    name: str
    size: tuple[int, int]
    patches: int


def timed_input(artifact: Artifact, threads: int) -> Callable[[Path | None], TimedInput]:
    """Loads the network; what comes back takes the file, None for the artifact's own input.

    Raises:
        UsageError: the file is none that the network takes.
        ArtifactError: the engine cannot load the network, or there is no golden input.
    """
    if isinstance(artifact.manifest, OctaManifest):
        volumes = OctaSegmenter(artifact, threads)
        return lambda file: _of_volume(volumes, file)
    photographs = Segmenter(artifact, threads)
    return lambda file: _of_photograph(photographs, file)


def _of_photograph(segmenter: Segmenter, file: Path | None) -> TimedInput:
    image, name = photograph(segmenter.artifact, file)

    def run() -> Segmentation:
        found = segmenter.segment(image)
        if found.status != "ok":
            raise UsageError(
                f"{file or segmenter.artifact.folder / selftest.GOLDEN}: no field of view found in "
                "it: give a photograph with --image"
            )
        return found

    height, width = image.shape[:2]
    return TimedInput(run, _engine(segmenter), name, (height, width), 1)


def _of_volume(segmenter: OctaSegmenter, file: Path | None) -> TimedInput:
    form = segmenter.artifact.octa.input
    if file is None:
        volume, name = _synthetic(segmenter.artifact), "synthetic"
    else:
        volume, name = segmenter.open(str(file)), printable(file.name)[:LONGEST_NAME]
    _, height, width = volume.shape
    patches = len(starts(max(height, form.height), form.height, form.overlap))
    patches *= len(starts(max(width, form.width), form.width, form.overlap))
    return TimedInput(
        lambda: segmenter.segment(volume), _engine(segmenter), name, (height, width), patches
    )


def _synthetic(artifact: Artifact) -> Volume:
    """The golden patch, mirrored on and on."""
    patch, _ = selftest.load_golden_patch(artifact)
    margins = [(0, 0), (0, 0), *((0, max(0, _PLANE_PX - side)) for side in patch.shape[2:])]
    whole = np.pad(patch, margins, "symmetric")
    return Volume("synthetic", "synthetic", tuple(ArrayStack(one, "synthetic") for one in whole))


def _engine(segmenter: Segmenter | OctaSegmenter) -> str:
    return f"{segmenter.engine.name} {segmenter.engine.version}"
