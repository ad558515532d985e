"""Read, verify and write an artifact: the folder that goes from the workstation to the board.

Nothing in a manifest is parsed before its signature holds, nothing is read that the manifest does
not name, and what is read is handed on as the very bytes that were hashed.
"""

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge_vessel import manifest as manifests
from edge_vessel import models, signing, target
from edge_vessel.atomic import write_file
from edge_vessel.atomic_folder import write_folder
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import ArtifactError, UsageError
from edge_vessel.manifest import (
    MANIFEST,
    SIGNATURE,
    AnyManifest,
    FileRecord,
    FundusManifest,
    Manifest,
    OctaManifest,
)

MAX_MANIFEST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Artifact:
    """A verified artifact. `trust` is "pinned", "signed by <fingerprint>" or "unsigned"."""

    folder: Path
    manifest: AnyManifest
    manifest_sha256: str
    trust: str

    @property
    def fundus(self) -> FundusManifest:
        """The manifest of a network for photographs.

        Raises:
            UsageError: it takes volumes.
        """
        if isinstance(self.manifest, FundusManifest):
            return self.manifest
        raise UsageError(f"{self.folder}: segments OCTA volumes; name an artifact for photographs")

    @property
    def octa(self) -> OctaManifest:
        """The manifest of a network for volumes.

        Raises:
            UsageError: it takes photographs.
        """
        if isinstance(self.manifest, OctaManifest):
            return self.manifest
        raise UsageError(f"{self.folder}: segments photographs; name an artifact for OCTA volumes")

    @property
    def warning(self) -> str | None:
        """The line that a command prints to stderr before it uses an unsigned artifact."""
        if self.trust != "unsigned":
            return None
        return (
            f"{self.folder / MANIFEST}: no trusted key signed it, and --allow-unsigned was given: "
            "whoever wrote this folder controls what runs"
        )

    def check_target(self) -> None:
        """Returns where this machine can run the artifact.

        Raises:
            ArtifactError: it is built for another architecture or other CPU features.
            DeviceError: /proc/cpuinfo cannot be read.
        """
        target.check_target(self.manifest.target, target.this_machine(), self.folder)

    def read(self, name: str, for_emulation: bool = False) -> bytes:
        """Reads a file that the manifest names, once, and returns the bytes that were hashed.

        The target is checked first, so that no engine ever holds another machine's code; not so
        `for_emulation` of that machine.

        Raises:
            ArtifactError: the manifest names no such file, the file was changed since, or the
                artifact does not fit this machine.
            DeviceError: /proc/cpuinfo cannot be read.
        """
        if not for_emulation:
            self.check_target()
        for record in self.manifest.files:
            if record.name == name:
                return _read_verified(self.folder, record)
        known = ", ".join(record.name for record in self.manifest.files) or "no file"
        raise ArtifactError(f"{self.folder / MANIFEST}: names no {name!a}; it names {known}")


def open_artifact(
    path: Path,
    trusted: Iterable[Ed25519PublicKey] | None = None,
    allow_unsigned: bool = False,
) -> Artifact:
    """Verifies the signature, then the manifest, then every file; the target is `read`'s matter.

    `path` itself may be a link (an A/B slot); it is resolved once, so that a switch of slots cannot
    mix two artifacts. Inside the folder links are refused, and so is any file that the manifest
    does not name: it was never signed, and a stray library beside native code is an attack or a
    mistake.

    Args:
        path: the artifact's folder.
        trusted: the public keys to accept; None for those in `signing.TRUSTED_FOLDER`.
        allow_unsigned: accept what no trusted key signed; see `Artifact.warning`.

    Raises:
        UsageError: there is no such folder, or a trusted key cannot be read.
        ArtifactError: untrusted, damaged, incomplete, or of an unknown schema version.
    """
    try:
        folder = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path}: no such artifact; name its folder") from error
    if not folder.is_dir():
        raise UsageError(f"{path}: is not a folder; name the folder that holds {MANIFEST}")
    if trusted is None:
        trusted = signing.trusted_keys()
    content = read_regular(folder / MANIFEST, MAX_MANIFEST_BYTES, ArtifactError)
    digest = hashlib.sha256(content).hexdigest()
    trust = _trust(folder, content, digest, tuple(trusted), allow_unsigned)
    manifest = manifests.parse(content, folder / MANIFEST)
    _refuse_strangers(folder, manifest)
    for record in manifest.files:
        _read_verified(folder, record)
    return Artifact(folder, manifest, digest, trust)


def write(
    folder: Path,
    manifest: AnyManifest,
    files: Mapping[str, bytes],
    private_key: Ed25519PrivateKey | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes an artifact, whole or not at all; `manifest.files` is filled in from `files`.

    Raises:
        UsageError: the folder exists, and `overwrite` is False or it holds something else.
        ArtifactError: the manifest is not a valid one.
        DeviceError: the disk is full, or the parent folder is missing or cannot be written.
    """
    if overwrite and folder.exists():
        _refuse_other_folder(folder)
    records = tuple(
        FileRecord(name, hashlib.sha256(content).hexdigest(), len(content))
        for name, content in sorted(files.items())
    )
    content = manifests.to_json(replace(manifest, files=records))
    if len(content) > MAX_MANIFEST_BYTES:
        raise ArtifactError(f"{folder / MANIFEST}: {len(content)} bytes are too many")
    whole = {**files, MANIFEST: content}
    if private_key is not None:
        whole[SIGNATURE] = signing.sign(content, private_key)
    write_folder(folder, whole, overwrite)
    return folder


def sign(path: Path, private_key: Ed25519PrivateKey) -> Artifact:
    """Signs an artifact in place, once its manifest and files are found whole.

    Raises:
        UsageError: there is no such folder.
        ArtifactError: it is damaged: damage is not signed.
        DeviceError: the signature cannot be written.
    """
    artifact = open_artifact(path, trusted=(), allow_unsigned=True)
    content = read_regular(artifact.folder / MANIFEST, MAX_MANIFEST_BYTES, ArtifactError)
    if hashlib.sha256(content).hexdigest() != artifact.manifest_sha256:
        raise ArtifactError(f"{artifact.folder / MANIFEST}: changed while it was signed")
    write_file(artifact.folder / SIGNATURE, signing.sign(content, private_key))
    return replace(artifact, trust=f"signed by {signing.fingerprint(private_key.public_key())}")


def _trust(
    folder: Path,
    content: bytes,
    digest: str,
    trusted: tuple[Ed25519PublicKey, ...],
    allow_unsigned: bool,
) -> str:
    if digest in models.PINNED.values():
        return "pinned"
    path = folder / SIGNATURE
    if path.exists() or path.is_symlink():
        signature = read_regular(path, signing.SIGNATURE_BYTES, ArtifactError)
        signer = signing.find_signer(content, signature, trusted)
        if signer is not None:
            return f"signed by {signing.fingerprint(signer)}"
        fault = (
            f"{path}: none of the {len(trusted)} trusted keys made this signature; name the "
            "signer's key with --trusted-key"
        )
    else:
        fault = (
            f"{path}: there is no signature; sign it (python -m edge_vessel.artifact sign), or "
            "--allow-unsigned"
        )
    if allow_unsigned:
        return "unsigned"
    raise ArtifactError(fault)


def _refuse_strangers(folder: Path, manifest: Manifest) -> None:
    named = {MANIFEST, SIGNATURE, *(record.name for record in manifest.files)}
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot be listed: {error.strerror}") from error
    for entry in entries:
        if entry.name not in named:
            raise ArtifactError(f"{str(entry)!a}: is not named in {MANIFEST}; remove it")


def _refuse_other_folder(folder: Path) -> None:
    """A slip of the tongue must not remove somebody's folder."""
    try:
        entries = [] if folder.is_symlink() else list(folder.iterdir())
    except OSError:
        entries = []
    plain = all(entry.is_file() and not entry.is_symlink() for entry in entries)
    if not plain or MANIFEST not in (entry.name for entry in entries):
        raise UsageError(f"{folder}: is not an artifact's folder, so it is not overwritten")


def _read_verified(folder: Path, record: FileRecord) -> bytes:
    path = folder / record.name
    content = read_regular(path, record.size, ArtifactError)
    if len(content) != record.size:
        raise ArtifactError(
            f"{path}: is {len(content)} bytes, not {record.size}; fetch the artifact again"
        )
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise ArtifactError(
            f"{path}: was changed: its SHA-256 is not {record.sha256}; fetch the artifact again"
        )
    return content


if __name__ == "__main__":
    from edge_vessel.artifact_cli import main

    sys.exit(main())
