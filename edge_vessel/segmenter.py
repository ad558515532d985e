"""From a photograph to its vessel map."""

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_vessel import engines
from edge_vessel.artifact import Artifact
from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import Crop, FieldOfView, find_field_of_view


@dataclass(frozen=True)
class Segmentation:
    """The vessel map of one photograph, in the photograph's own pixels.

    `probability` is (H, W) float32 in [0, 1], 0 outside the field of view; `mask` (H, W) bool is
    `probability >= threshold`. `status` is "no_fundus" where no field of view was found: then `fov`
    is None and both maps are empty of vessels. Durations are in milliseconds.
    """

    status: Literal["ok", "no_fundus"]
    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]
    fov: FieldOfView | None
    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float


class Segmenter:
    """A network of an artifact, ready to segment photographs of any size.

    Args:
        artifact: opened, hence verified.
        threads: of the engine; see `engines.choose_threads` for None.
        threshold: probability from which a pixel is vessel; the artifact's own when None.
        engine: runs in place of the artifact's, such as the network before it was compiled.

    Raises:
        UsageError: threads or threshold are out of range, or the artifact is for volumes.
        ArtifactError: the engine cannot load the network.
    """

    def __init__(
        self,
        artifact: Artifact,
        threads: int | None = None,
        threshold: float | None = None,
        engine: engines.Engine | None = None,
    ) -> None:
        manifest = artifact.fundus
        self.artifact = artifact
        self.threshold = manifest.output.threshold if threshold is None else threshold
        if not 0.0 < self.threshold < 1.0:
            raise UsageError(f"threshold {self.threshold}: must lie between 0 and 1")
        self.size = (manifest.input.height, manifest.input.width)
        self.engine = engine or engines.create(artifact, engines.choose_threads(artifact, threads))

    def segment(self, image: NDArray[np.uint8]) -> Segmentation:
        """image (H, W, 3) uint8 RGB, any size.

        Raises:
            DeviceError: the engine failed.
        """
        height, width = image.shape[:2]
        started = time.perf_counter()
        fov = find_field_of_view(image)
        if fov is None:
            elapsed_ms = 1e3 * (time.perf_counter() - started)
            empty = np.zeros((height, width), np.float32)
            return Segmentation("no_fundus", empty, empty > 0, None, elapsed_ms, 0.0, 0.0)
        crop = Crop.around(fov, height, width, *self.size)
        pixels = crop.to_network(image)
        prepared = time.perf_counter()
        values = self.engine.run(pixels)
        inferred = time.perf_counter()
        probability = crop.to_camera(values)
        probability *= fov.mask(height, width)
        mask = probability >= self.threshold
        finished = time.perf_counter()
        return Segmentation(
            "ok",
            probability,
            mask,
            fov,
            preprocess_ms=1e3 * (prepared - started),
            inference_ms=1e3 * (inferred - prepared),
            postprocess_ms=1e3 * (finished - inferred),
        )
