"""The engines, by the name that a manifest gives."""

from collections.abc import Callable

from edge_vessel.artifact import Artifact
from edge_vessel.engines.base import Engine
from edge_vessel.engines.cores import available
from edge_vessel.engines.onnx import OnnxEngine
from edge_vessel.engines.tvm import TvmEngine
from edge_vessel.errors import ArtifactError, UsageError

ENGINES: dict[str, Callable[[Artifact, int], Engine]] = {
    "onnx": OnnxEngine,
    "tvm": TvmEngine,
}


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


def choose_threads(artifact: Artifact, wanted: int | None) -> int:
    """The number that was asked for, else the artifact's own as far as this machine has cores.

    Raises:
        UsageError: fewer than 1, or more than this process may use.
    """
    cores = len(available())
    if wanted is None:
        return min(artifact.manifest.target.threads, cores)
    if not 1 <= wanted <= cores:
        raise UsageError(f"threads {wanted}: from 1 to {cores}, the cores of this machine")
    return wanted


__all__ = ["ENGINES", "Engine", "choose_threads", "create"]
