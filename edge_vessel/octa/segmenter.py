"""From a volume to its flat vessel map."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_vessel import engines
from edge_vessel.artifact import Artifact
from edge_vessel.errors import ArtifactError, UsageError
from edge_vessel.octa.description import FAZ
from edge_vessel.octa.engine import VolumeEngine
from edge_vessel.octa.sliding import slide
from edge_vessel.octa.volume import Volume, open_volume


@dataclass(frozen=True)
class OctaSegmentation:
    """The map of one volume, one pixel for each A-scan.

    `probabilities` are (classes, H, W) float32 in [0, 1]; `mask` (H, W) bool is that of vessels;
    `faz` is (H, W) bool, the foveal avascular zone, None where the network does not know it.
    `en_face` is (H, W) uint8, the mean of the angiogram along the depth, stretched to 0 to 255.
    Durations are in milliseconds, and cover reading, the network over all `patches`, and the rest.
    """

    probabilities: NDArray[np.float32]
    mask: NDArray[np.bool_]
    faz: NDArray[np.bool_] | None
    en_face: NDArray[np.uint8]
    patches: int
    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float


class OctaSegmenter:
    """A network of an artifact, ready to segment volumes of any height and width.

    Args:
        artifact: opened, hence verified.
        threads: of the engine; see `engines.choose_threads` for None.
        threshold: probability from which a pixel is vessel; the artifact's own when None.

    Raises:
        UsageError: threads or threshold are out of range, or the artifact takes photographs.
        ArtifactError: the engine cannot load the network.
    """

    def __init__(
        self, artifact: Artifact, threads: int | None = None, threshold: float | None = None
    ) -> None:
        self.artifact = artifact
        manifest = artifact.octa
        self._input, self._classes = manifest.input, manifest.output.classes
        self.threshold = manifest.output.threshold if threshold is None else threshold
        if not 0.0 < self.threshold < 1.0:
            raise UsageError(f"threshold {self.threshold}: must lie between 0 and 1")
        self._faz_threshold = manifest.output.threshold
        self.engine = VolumeEngine(artifact, engines.choose_threads(artifact, threads))

    def open(self, uri: str) -> Volume:
        """The volume that `uri` names, checked against what the network takes; see `open_volume`.

        Raises:
            UsageError: it cannot be taken.
        """
        return open_volume(uri, [one.name for one in self._input.channels], self._input.depth)

    def segment(
        self, volume: Volume, progress: Callable[[Iterable[int]], Iterable[int]] = iter
    ) -> OctaSegmentation:
        """Streams the volume through the network; `progress` sees its rows of patches.

        Raises:
            UsageError: the volume's voxels are damaged.
            DeviceError: the engine failed.
            ArtifactError: the network gives what is no number.
        """
        started = time.perf_counter()
        plane = slide(volume, self._input, self.engine.run, len(self._classes), progress)
        if not np.isfinite(plane.logits).all():
            raise ArtifactError(
                f"{self.artifact.folder}: its network gives values that are not finite; train or "
                "export it again"
            )
        probabilities = 0.5 + 0.5 * np.tanh(0.5 * plane.logits)  # the sigmoid, without overflow
        faz = None
        if FAZ in self._classes:
            faz = probabilities[self._classes.index(FAZ)] >= self._faz_threshold
        mask = probabilities[0] >= self.threshold
        en_face = _stretched(plane.en_face)
        total_ms = 1e3 * (time.perf_counter() - started)
        return OctaSegmentation(
            probabilities,
            mask,
            faz,
            en_face,
            plane.patches,
            preprocess_ms=plane.read_ms,
            inference_ms=plane.inference_ms,
            postprocess_ms=total_ms - plane.read_ms - plane.inference_ms,
        )


def _stretched(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """For a person's eye: the 1st percentile becomes black, the 99th white."""
    low, high = np.percentile(values, (1, 99))
    scaled = (values - low) * (255 / max(high - low, 1e-6))
    return np.asarray(np.rint(np.clip(scaled, 0, 255)), np.uint8)
