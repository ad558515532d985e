"""What lies in a slot, verified anew each time it is opened."""

from dataclasses import dataclass
from pathlib import Path

from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.errors import ArtifactError
from edge_vessel.signing import trusted_keys
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.state import Occupied, Release, State


@dataclass(frozen=True)
class Trust:
    """The keys named besides those of the device, and whether an unsigned artifact may pass."""

    keys: tuple[Path, ...] = ()
    allow_unsigned: bool = False

    def open(self, path: Path) -> Artifact:
        """As `open_artifact`."""
        return open_artifact(path, trusted_keys(self.keys), self.allow_unsigned)


def release_of(artifact: Artifact) -> Release:
    """What the state remembers of an artifact."""
    return Release(artifact.manifest.name, artifact.manifest.version, artifact.manifest_sha256)


def open_slot(layout: Layout, occupied: Occupied, trust: Trust) -> Artifact:
    """The verified artifact of a slot.

    Raises:
        ArtifactError: it is gone, damaged, not trusted, or not what was installed there.
        UsageError: a trusted key cannot be read.
    """
    folder = layout.slot(occupied.slot)
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: is gone; install {occupied.release} again")
    artifact = trust.open(folder)
    if release_of(artifact) != occupied.release:
        raise ArtifactError(f"{folder}: is not {occupied.release}, which was installed there")
    return artifact


def runs(layout: Layout, state: State, release: Release, trust: Trust) -> bool:
    """Whether `release` is active and its slot whole."""
    if state.active is None or state.active.release != release:
        return False
    try:
        open_slot(layout, state.active, trust)
    except ArtifactError:
        return False
    return True
