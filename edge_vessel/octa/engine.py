"""ONNX Runtime for networks that take volumes."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge_vessel.artifact import Artifact
from edge_vessel.engines.onnx import MODEL_FILE, open_session, run_session
from edge_vessel.errors import ArtifactError


class VolumeEngine:
    """Runs `model.onnx`: a patch in, the logits of its classes out.

    Raises:
        UsageError: the artifact takes photographs.
        ArtifactError: ONNX Runtime cannot load the network, or it does not fit its manifest.
    """

    name = "onnx"
    version: str = onnxruntime.__version__

    def __init__(self, artifact: Artifact, threads: int) -> None:
        self.threads = threads
        manifest = artifact.octa
        patch, classes = manifest.input.shape, len(manifest.output.classes)
        # The arena keeps what the largest of all layers took, beside what the others take.
        self._session = open_session(artifact, threads, arena=False)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        taken = [(one.type, list(one.shape)) for one in inputs]
        given = [(one.type, list(one.shape)) for one in outputs]
        expected = ("tensor(float)", [1, *patch]), ("tensor(float)", [1, classes, *patch[2:]])
        for what, found, want in zip(("takes", "gives"), (taken, given), expected, strict=True):
            if found != [want]:
                raise ArtifactError(
                    f"{artifact.folder / MODEL_FILE}: {what} {found}, its manifest says {[want]}; "
                    "export it again"
                )
        self._name = inputs[0].name

    def run(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        """(channels, depth, height, width) float32 -> logits (classes, height, width) float32.

        Raises:
            DeviceError: the engine failed.
        """
        found: NDArray[np.float32] = run_session(self._session, self._name, patch[None])[0]
        return found
