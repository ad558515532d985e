"""A board with slots, and signed artifacts of several versions for it."""

from dataclasses import replace
from pathlib import Path

import artifact_folders
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_vessel import artifact, signing
from edge_vessel.artifact import Artifact
from edge_vessel.slots import state as states
from edge_vessel.slots.install import Rules, activate, stage
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.opening import Trust, release_of
from edge_vessel.slots.state import State


class Board:
    """Slots in `folder`/slots, a key that it trusts, and artifacts beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout = Layout(folder / "slots")
        private, self.public = signing.generate(folder / "clinic")
        self.key = signing.load_private_key(private)
        self.trust = Trust((self.public,))

    def build(
        self,
        version: int = 1,
        name: str = "tiny-16",
        key: Ed25519PrivateKey | None = None,
        **changed,
    ) -> Path:
        """A signed artifact; `changed` replaces fields of its manifest, or files by their stems."""
        files = artifact_folders.files()
        for file in files:
            files[file] = changed.pop(file.split(".")[0], files[file])
        manifest = replace(artifact_folders.manifest(version=version), name=name, **changed)
        number = len(list(self.folder.iterdir()))
        return artifact.write(
            self.folder / f"{name}-{version}-{number}", manifest, files, key or self.key
        )

    def open(self, path: Path) -> Artifact:
        return self.trust.open(path)

    def put(self, path: Path, starts: int = 3, confirmed: bool = True) -> State:
        """Installs without the self-test, which takes a process; on trial unless `confirmed`."""
        self.layout.root.mkdir(exist_ok=True)
        source = self.open(path)
        stage(self.layout, source)
        state = activate(self.layout, release_of(source), Rules(trial_starts=starts))
        return states.change(self.layout, State.confirmed) if confirmed else state

    @property
    def state(self) -> State:
        return states.read(self.layout)

    def runs(self) -> str:
        """What the state names, "bundled" or "<version>"."""
        active = self.state.active
        return "bundled" if active is None else str(active.release.version)
