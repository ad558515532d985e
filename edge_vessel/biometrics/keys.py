"""The key of a store: where it comes from, and the keys that are derived from it."""

import argparse
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge_vessel.atomic import create_file
from edge_vessel.biometrics import keyring
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import UsageError

KEY_BYTES = 32
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
_MAX_TEXT_BYTES = 1024
_KEYRING, _CREDENTIAL = "keyring:", "credential:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


@dataclass(frozen=True)
class StoreKey:
    """`secret`: `KEY_BYTES` random bytes; never shown."""

    secret: bytes = field(repr=False)

    def derive(self, purpose: str, salt: bytes) -> bytes:
        """`KEY_BYTES` for one purpose: HKDF-SHA256 (RFC 5869)."""
        info = f"edge_vessel biometrics: {purpose}".encode()
        return HKDF(SHA256(), KEY_BYTES, salt, info).derive(self.secret)


def load(source: str) -> StoreKey:
    """Reads a key.

    Args:
        source: a file of `generate`; `keyring:NAME`, a "user" key of the kernel; or
            `credential:NAME`, a file that systemd put into $CREDENTIALS_DIRECTORY.

    Raises:
        UsageError: missing, unreadable, a link, open to others, or no key.
        DeviceError: this machine has no keyrings.
    """
    if source.startswith(_KEYRING):
        return _parse(source, keyring.read(_name(source, _KEYRING)))
    if source.startswith(_CREDENTIAL):
        folder = os.environ.get(CREDENTIALS_VARIABLE)
        if not folder:
            raise UsageError(
                f"{source}: systemd passes no credentials here (${CREDENTIALS_VARIABLE} is not "
                "set); add LoadCredential= to the unit, or name a key file"
            )
        # systemd opens them to the unit's user alone, by an access list that mode bits don't show.
        path = Path(folder) / _name(source, _CREDENTIAL)
        return _parse(source, read_regular(path, _MAX_TEXT_BYTES, UsageError))
    content = read_regular(Path(source), _MAX_TEXT_BYTES, UsageError, owner_only=True)
    return _parse(source, content)


def generate(path: Path) -> None:
    """Writes a new key as 64 hex digits, mode 0600.

    Raises:
        UsageError: `path` exists: a key is never overwritten.
        DeviceError: it cannot be written.
    """
    create_file(path, secrets.token_hex(KEY_BYTES).encode() + b"\n", 0o600)


def source(text: str) -> str:
    """An argparse type: what `load` takes."""
    if not text:
        raise argparse.ArgumentTypeError("empty: name a key file, keyring:NAME or credential:NAME")
    return text


def _name(source: str, prefix: str) -> str:
    name = source.removeprefix(prefix)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{source}: {name!r} is no key's name: letters, digits and . _ : -")
    return name


def _parse(source: str, content: bytes) -> StoreKey:
    # What is wrong with a secret is not quoted.
    if not re.fullmatch(rb"[0-9a-f]{64}\s*", content):
        raise UsageError(
            f"{source}: is no store key (64 hex digits); make one: edge-vessel store keygen FILE"
        )
    return StoreKey(bytes.fromhex(content.decode().strip()))
