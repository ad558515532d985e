"""Any document of bench, read by the command that it says it is of."""

from pathlib import Path

from bench import document, run_file
from bench.accuracy_file import AccuracyRun
from bench.estimate_file import EstimateRun, PeerEstimateRun
from bench.gpu_file import GpuRun
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

# Latency and energy are run_file's.
_KINDS: dict[str, type[Document]] = {
    "accuracy": AccuracyRun,
    "estimate": EstimateRun,
    "estimate_ncnn": PeerEstimateRun,
    "gpu": GpuRun,
    "peers": PeersRun,
    "presentation": PresentationRun,
    "repeatability": RepeatabilityRun,
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
        raise UsageError(f"{path}: its command is {command!r:.40}, none of {known}")
    return document.build(_KINDS[command], about, path)
