"""Who may ask what: bearer tokens, of which the device keeps the hashes alone."""

import hashlib
import hmac
import secrets
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from edge_vessel.atomic import write_file
from edge_vessel.biometrics.receipt import utc_now
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import UsageError
from edge_vessel.json_reader import Form, StrictJsonError, build, loads
from edge_vessel.json_text import strict_json
from edge_vessel.lock import locked
from edge_vessel.manifest import Sha256, UtcTime

NAME = "tokens.json"
Role = Literal["operator", "terminal"]
_MAX_BYTES = 1024 * 1024
_TOKEN_BYTES = 32
_WAIT_S = 10.0  # for another command; each takes milliseconds
TokenName = Annotated[
    str, Form(r"[a-z0-9][a-z0-9._-]{0,63}", "a token's name: 1 to 64 of a-z 0-9 . _ -")
]


@dataclass(frozen=True)
class Token:
    """`sha256` is of the token, which is 256 random bits: nothing slower is needed."""

    name: TokenName
    role: Role
    sha256: Sha256
    created: UtcTime


@dataclass(frozen=True)
class _File:
    tokens: tuple[Token, ...]


class Tokens:
    """The file of a kiosk's tokens; what another process adds or removes counts at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._read: tuple[object, tuple[Token, ...]] = (None, ())

    def all(self) -> tuple[Token, ...]:
        """In the order of their making; none where there is no file.

        Raises:
            UsageError: the file is damaged, or open to others.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return ()
        mark = (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
        with self._lock:
            if self._read[0] != mark:
                self._read = mark, self._parsed()
            return self._read[1]

    def add(self, name: str, role: Role) -> str:
        """A new token, which is shown this once.

        Raises:
            UsageError: there is one of this name, or it is no name.
            DeviceError: the file cannot be written.
        """
        secret = secrets.token_urlsafe(_TOKEN_BYTES)
        made = {"name": name, "role": role, "sha256": _hash(secret), "created": utc_now()}
        try:
            token = build(Token, made)
        except StrictJsonError as error:
            raise UsageError(str(error)) from error
        with self._alone():
            kept = self.all()
            if any(one.name == name for one in kept):
                raise UsageError(f"{name}: there is such a token; remove it first")
            self._write((*kept, token))
        return secret

    def remove(self, name: str) -> None:
        """It opens nothing from now on.

        Raises:
            UsageError: there is none of this name.
            DeviceError: the file cannot be written.
        """
        self._without(name)  # before a lock is put where there are no tokens
        with self._alone():
            self._write(self._without(name))

    def holder(self, secret: str) -> Token | None:
        """Whose token this is; None where it is nobody's."""
        digest = _hash(secret)
        found = [one for one in self.all() if hmac.compare_digest(one.sha256, digest)]
        return found[0] if found else None

    def _without(self, name: str) -> tuple[Token, ...]:
        kept = self.all()
        left = tuple(one for one in kept if one.name != name)
        if left == kept:
            raise UsageError(f"{name}: there is no such token; see: token list")
        return left

    def _alone(self) -> AbstractContextManager[None]:
        """Two who add at the same time would each write what they read: one token would be lost."""
        return locked(self._path.with_suffix(".lock"), "another `token add` or `remove`", _WAIT_S)

    def _parsed(self) -> tuple[Token, ...]:
        content = read_regular(self._path, _MAX_BYTES, UsageError, owner_only=True)
        try:
            return build(_File, loads(content)).tokens
        except StrictJsonError as error:
            raise UsageError(f"{self._path}: {error}; remove it and add tokens anew") from error

    def _write(self, tokens: tuple[Token, ...]) -> None:
        write_file(self._path, strict_json(_File(tokens)).encode() + b"\n", 0o600)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
