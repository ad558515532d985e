"""The artifact that a measurement is of."""

from dataclasses import dataclass

from bench.quantities import Count, Index, Sha256, Size
from edge_vessel.artifact import Artifact


@dataclass(frozen=True)
class Subject:
    """The artifact that was measured. `size_bytes` is of all its files, `input` (height, width)."""

    name: str
    version: Count
    manifest_sha256: Sha256
    trust: str
    engine: str
    precision: str
    input: Size
    multiply_adds: Index
    size_bytes: Count

    @classmethod
    def of(cls, artifact: Artifact, engine: str) -> "Subject":
        """`engine`: the name and version that ran it."""
        manifest = artifact.manifest
        return cls(
            manifest.name,
            manifest.version,
            artifact.manifest_sha256,
            artifact.trust,
            engine,
            manifest.model.precision,
            (manifest.input.height, manifest.input.width),
            manifest.model.multiply_adds,
            sum(one.size for one in manifest.files),
        )
