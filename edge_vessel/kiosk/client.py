"""The service asked from another process on this device, by the standard library alone."""

import base64
import binascii
import hashlib
import http.client
import json
import secrets
import socket
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.kiosk.results import Result, canonical

_NONCE_BYTES = 24
_MAX_ANSWER_BYTES = 64 * 1024
_GRACE_S = 15.0  # beyond the capture's own time: opening and closing the camera
_USAGE_STATUS = frozenset({400, 401, 403, 404, 409, 413, 421, 422})


@dataclass(frozen=True)
class Service:
    """Where the kiosk listens: an http:// URL, or the path of its Unix socket."""

    url: str = "http://127.0.0.1:8471"
    unix: Path | None = None

    def __str__(self) -> str:
        return self.url if self.unix is None else str(self.unix)

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """Not connected yet.

        Raises:
            UsageError: the URL is of another kind.
        """
        if self.unix is not None:
            return _UnixConnection(self.unix, timeout_s)
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"{self.url}: is no URL of a kiosk, such as {Service.url}")
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.netloc, timeout=timeout_s)
        return http.client.HTTPConnection(parts.netloc, timeout=timeout_s)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def verify(
    service: Service, token: str, key: Ed25519PublicKey, subject: str, timeout_s: float
) -> Result:
    """Asks whether the eye before the camera is the subject's.

    Raises:
        UsageError: the service refuses the request or the token.
        DeviceError: the service is not reached, its line is full, or the answer is not the
            device's, or not to this question.
    """
    nonce = secrets.token_urlsafe(_NONCE_BYTES)
    body = {"subject": subject, "nonce": nonce, "timeout_s": timeout_s}
    document = _ask(service, token, "POST", "/v1/verify", body, timeout_s)
    result = checked(document, key, str(service))
    if (result.operation, result.subject, result.nonce) != ("verify", subject, nonce):
        raise DeviceError(f"{service}: the answer is to another question; is it the kiosk?")
    return result


def checked(document: dict[str, Any], key: Ed25519PublicKey, name: str) -> Result:
    """The result in a document that the device has signed.

    Raises:
        DeviceError: somebody else has, or it is no result.
    """
    signed = {field: value for field, value in document.items() if field != "signature"}
    device = hashlib.sha256(key.public_bytes_raw()).hexdigest()
    try:
        key.verify(base64.b64decode(document["signature"], validate=True), canonical(signed))
    except (InvalidSignature, binascii.Error, KeyError, TypeError, ValueError) as error:
        raise DeviceError(f"{name}: the answer is not signed by the device {device}") from error
    if set(document) != {field.name for field in fields(Result)}:
        raise DeviceError(f"{name}: the answer is no result; is the kiosk of another version?")
    return Result(**document)


def _ask(
    service: Service, token: str, method: str, path: str, body: object, timeout_s: float
) -> dict[str, Any]:
    connection = service.connection(timeout_s + _GRACE_S)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read(_MAX_ANSWER_BYTES)
        document = json.loads(content)
    except (OSError, http.client.HTTPException) as error:
        raise DeviceError(f"{service}: is not reached: {error}; does the kiosk run?") from error
    except ValueError as error:
        raise DeviceError(f"{service}: answers no JSON; is it the kiosk?") from error
    finally:
        connection.close()
    if answer.status == 200 and isinstance(document, dict):
        return document
    why = document.get("error") if isinstance(document, dict) else answer.reason
    kind = UsageError if answer.status in _USAGE_STATUS else DeviceError
    raise kind(f"{service}: {answer.status}: {why}")
