"""What a manifest says of a network that takes volumes, and of the map that it gives."""

from dataclasses import dataclass
from typing import Annotated, Literal

from edge_vessel.json_reader import Form, Range

VESSEL, FAZ = "vessel", "faz"

Scale = Annotated[float, Range(1e-9, 1e9)]
Offset = Annotated[float, Range(-1e9, 1e9)]
Voxels = Annotated[int, Range(1, 4096)]
ClassName = Annotated[str, Form(r"[a-z][a-z0-9_]{0,39}", "a class name of a-z 0-9 _")]


@dataclass(frozen=True)
class Channel:
    """One volume of the eye; the network gets voxel * scale + offset, voxels being 0 to 255."""

    name: Literal["OCT", "OCTA"]
    scale: Scale
    offset: Offset


@dataclass(frozen=True)
class OctaInput:
    """The patch that goes in, float32 (1, channels, depth, height, width), and the way of patches.

    A volume that is k times as deep is averaged over each k voxels; height and width are free:
    patches overlap by the fraction `overlap` and are blended by `blending`, "constant" or a
    "gaussian" whose sigma is an eighth of the patch (MONAI's `sliding_window_inference`).
    """

    channels: tuple[Channel, ...]
    depth: Voxels
    height: Voxels
    width: Voxels
    overlap: Annotated[float, Range(0.0, 0.95)]
    blending: Literal["constant", "gaussian"]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(channels, depth, height, width) of a patch."""
        return len(self.channels), self.depth, self.height, self.width


@dataclass(frozen=True)
class OctaOutput:
    """Logits (1, classes, height, width), blended first; their sigmoid is each class's
    probability. At `threshold` and above a pixel belongs to the class."""

    classes: tuple[ClassName, ...]
    threshold: Annotated[float, Range(1e-6, 1 - 1e-6)]
    threshold_rule: str
