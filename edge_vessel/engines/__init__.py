"""The engines, by the name that a manifest gives."""

from collections.abc import Callable

from edge_vessel.artifact import Artifact
from edge_vessel.engines.base import Engine
from edge_vessel.engines.onnx import OnnxEngine
from edge_vessel.errors import ArtifactError

ENGINES: dict[str, Callable[[Artifact, int], Engine]] = {"onnx": OnnxEngine}


def create(artifact: Artifact, threads: int) -> Engine:
    """Loads the network of a verified artifact on `threads` threads.

    Raises:
        ArtifactError: the manifest names an engine that this version does not have, or the
            network does not fit its manifest.
    """
    name = artifact.manifest.engine.name
    if name not in ENGINES:
        raise ArtifactError(
            f"{artifact.folder}: needs the engine {name!r}; this version has "
            f"{', '.join(sorted(ENGINES))}: install a newer edge-vessel"
        )
    return ENGINES[name](artifact, threads)


__all__ = ["ENGINES", "Engine", "create"]
