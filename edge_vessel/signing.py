"""Ed25519 keys and signatures (RFC 8032), as PEM files that `openssl pkey` reads as well."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge_vessel.atomic import create_file
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import DeviceError, UsageError

TRUSTED_FOLDER = Path("/etc/edge-vessel/trusted.d")
SIGNATURE_BYTES = 64
MAX_KEY_BYTES = 16 * 1024


def fingerprint(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key (32 bytes)."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def generate(path: Path) -> tuple[Path, Path]:
    """Writes `path`.key (PKCS8 PEM, mode 0600) and `path`.pub.pem; returns both paths.

    The public name ends in .pem so that the file can be copied into `TRUSTED_FOLDER` as it is.

    Raises:
        UsageError: one of the files exists (a key is never overwritten), or `path` has no name.
        DeviceError: the folder is missing or cannot be written, or the disk is full.
    """
    if not path.name:
        raise UsageError(f"{path}: is a folder; give the keys a name in it")
    private_path = path.with_name(path.name + ".key")
    public_path = path.with_name(path.name + ".pub.pem")
    for existing in (private_path, public_path):
        if os.path.lexists(existing):
            raise UsageError(f"{existing}: exists and is never overwritten; choose another name")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    create_file(private_path, private, 0o600)
    try:
        create_file(public_path, public, 0o644)
    except (UsageError, DeviceError):
        private_path.unlink()
        raise
    return private_path, public_path


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Reads a private key that nobody but its owner may read.

    Raises:
        UsageError: missing, open to group or others, encrypted, or not an Ed25519 private key.
    """
    # A public key is open to all: to advise its owner to close it would lead astray.
    if b"PUBLIC KEY-----" in read_regular(path, MAX_KEY_BYTES, UsageError, follow_symlinks=True):
        raise UsageError(f"{path}: holds a public key; name the private one (.key)")
    content = read_regular(path, MAX_KEY_BYTES, UsageError, follow_symlinks=True, owner_only=True)
    # The cause is dropped on purpose: nothing derived from a private key may reach a log.
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError:
        raise UsageError(f"{path}: is protected by a passphrase; name a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path}: is not a PEM private key; make one with keygen") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path}: is not an Ed25519 key; make one with keygen")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Reads a public key.

    Raises:
        UsageError: missing, unreadable, or not an Ed25519 public key.
    """
    content = read_regular(path, MAX_KEY_BYTES, UsageError, follow_symlinks=True)
    if b"PRIVATE KEY-----" in content:
        raise UsageError(f"{path}: holds a private key; name the public one (.pub.pem)")
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path}: is not a PEM public key; name a .pub.pem of keygen") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path}: is not an Ed25519 public key; name a .pub.pem of keygen")
    return key


def trusted_keys(
    paths: Iterable[Path] = (), folder: Path = TRUSTED_FOLDER
) -> tuple[Ed25519PublicKey, ...]:
    """The keys of `folder`/*.pem, then those of `paths`. A missing folder holds none.

    Raises:
        UsageError: a key or the folder cannot be read. One bad file is an error, never a skip: a
            board that silently trusts fewer keys than its owner thinks is hard to mend.
    """
    try:
        installed = sorted(entry for entry in folder.iterdir() if entry.suffix == ".pem")
    except FileNotFoundError:
        installed = []
    except OSError as error:
        raise UsageError(f"{folder}: cannot be listed: {error.strerror}") from error
    return tuple(load_public_key(path) for path in [*installed, *paths])


def sign(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """The raw signature, `SIGNATURE_BYTES` long."""
    return key.sign(content)


def find_signer(
    content: bytes, signature: bytes, trusted: Iterable[Ed25519PublicKey]
) -> Ed25519PublicKey | None:
    """The trusted key that made `signature` over `content`; None where no trusted key did."""
    for key in trusted:
        try:
            key.verify(signature, content)
        except InvalidSignature:
            continue
        return key
    return None
