"""What an artifact's engine is given where it alone is measured."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_vessel.artifact import Artifact
from edge_vessel.command_line import printable
from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import Crop, find_field_of_view
from edge_vessel.selftest import GOLDEN, load_golden
from edge_vessel.sources.images import read_image

LONGEST_NAME = 100


def photograph(artifact: Artifact, file: Path | None) -> tuple[NDArray[np.uint8], str]:
    """A photograph (H, W, 3) uint8 and its name; None: the artifact's golden one.

    Raises:
        UsageError: it is no image.
        ArtifactError: there is no golden one.
    """
    if file is not None:
        return read_image(file), printable(file.name)[:LONGEST_NAME]
    size, path = artifact.fundus.input, artifact.folder / GOLDEN
    return load_golden(artifact.read(GOLDEN), size.height, size.width, path).image, "golden"


@dataclass(frozen=True)
class InputImage:
    """`pixels` are (H, W, 3) uint8, of the network's size; `size` is the photograph's."""

    pixels: NDArray[np.uint8]
    name: str
    size: tuple[int, int]

    @classmethod
    def of(cls, artifact: Artifact, file: Path | None) -> "InputImage":
        """Of a photograph, the way that the runtime takes it; None: of the artifact's golden.

        Raises:
            UsageError: it is no photograph of a fundus.
            ArtifactError: there is no golden one.
        """
        image, name = photograph(artifact, file)
        height, width = image.shape[:2]
        if file is None:
            return cls(image, name, (height, width))
        fov = find_field_of_view(image)
        if fov is None:
            raise UsageError(
                f"{file}: no field of view found in it: give a photograph with --image"
            )
        size = artifact.fundus.input
        pixels = Crop.around(fov, height, width, size.height, size.width).to_network(image)
        return cls(pixels, name, (height, width))
