"""The key pair by which this device signs its results."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_vessel import signing
from edge_vessel.errors import UsageError

NAME = "device"


@dataclass(frozen=True)
class DeviceKey:
    """`device` is the SHA-256 of the raw public key in hex; `public_pem` what clients pin."""

    private: Ed25519PrivateKey = field(repr=False)
    device: str
    public_pem: str


def load_or_make(folder: Path) -> DeviceKey:
    """`folder`/device.key (mode 0600), made with its public half where there is none.

    Raises:
        UsageError: it is open to others or no key.
        DeviceError: it cannot be written.
    """
    path = folder / f"{NAME}.key"
    try:
        if not path.exists():
            signing.generate(folder / NAME)
        private = signing.load_private_key(path)
    except UsageError as error:
        raise UsageError(
            f"{error}; or remove {NAME}.key and {NAME}.pub.pem: clients have to pin the new key"
        ) from error
    public = private.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashlib.sha256(public.public_bytes_raw()).hexdigest()
    return DeviceKey(private, digest, pem.decode())
