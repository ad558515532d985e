"""Any document of bench, read by the command that it says it is of."""

from pathlib import Path

from bench import (
    accuracy_file,
    document,
    estimate_file,
    gpu_file,
    presentation_file,
    repeatability_file,
    run_file,
)
from bench.accuracy_file import AccuracyRun
from bench.estimate_file import EstimateRun, PeerEstimateRun
from bench.gpu_file import GpuRun
from bench.peers import document as peers_file
from bench.peers.document import PeersRun
from bench.presentation_file import PresentationRun
from bench.repeatability_file import RepeatabilityRun
from bench.run_file import Run
from edge_vessel.errors import UsageError

Document = (
    Run
    | AccuracyRun
    | EstimateRun
    | GpuRun
    | PeerEstimateRun
    | PeersRun
    | PresentationRun
    | RepeatabilityRun
)

# With the version of their schema; latency and energy are run_file's.
_KINDS: dict[str, tuple[type[Document], int]] = {
    "accuracy": (AccuracyRun, accuracy_file.SCHEMA_VERSION),
    "estimate": (EstimateRun, estimate_file.SCHEMA_VERSION),
    "estimate_ncnn": (PeerEstimateRun, estimate_file.SCHEMA_VERSION),
    "gpu": (GpuRun, gpu_file.SCHEMA_VERSION),
    "peers": (PeersRun, peers_file.SCHEMA_VERSION),
    "presentation": (PresentationRun, presentation_file.SCHEMA_VERSION),
    "repeatability": (RepeatabilityRun, repeatability_file.SCHEMA_VERSION),
}


def read(path: Path) -> Document:
    """A stored run.

    Raises:
        UsageError: the file is missing, or is no run of this version's bench.
    """
    about = document.load(path)
    command = str(about.get("command"))
    if command in run_file.COMMANDS:
        return run_file.read(path)
    if command not in _KINDS:
        known = ", ".join(sorted((*run_file.COMMANDS, *_KINDS)))
        raise UsageError(f"{path}: of the command {command!r:.40}; what can be read is of {known}")
    kind, version = _KINDS[command]
    document.check_version(about, version, path)
    return document.build(kind, about, path)
