"""`edge-vessel kiosk verify`: asks the running service; for PAM, doors and scripts."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_vessel import signing
from edge_vessel.biometrics.enrolment_record import check_subject, subject_id
from edge_vessel.biometrics.store import DEFAULT_FOLDER
from edge_vessel.bounded_read import read_regular
from edge_vessel.command_line import Parser, guarded, path, seconds
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.kiosk import client, device_key
from edge_vessel.kiosk.client import Service
from edge_vessel.kiosk.results import Status

TOKEN_VARIABLE = "EDGE_VESSEL_TOKEN"  # noqa: S105 - a name, no token
_PAM_VARIABLE = "PAM_USER"
_MAX_TOKEN_BYTES = 1024
_DEFAULT_KEY = DEFAULT_FOLDER / f"{device_key.NAME}.pub.pem"
_EXIT_CODES: dict[Status, int] = {
    "match": 0, "no_match": 1, "camera_lost": DeviceError.exit_code,
    "error": DeviceError.exit_code, "locked": 5, "retry": 6, "timeout": 6, "cancelled": 6,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Asks once; returns the exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _verify(options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="edge-vessel kiosk verify",
        description="Is the eye before the kiosk's camera the subject's?",
        epilog="Exit codes: 0 match, 1 no match, 2 usage, 3 camera or service unreachable, "
        "5 locked, 6 retry or timeout.",
    )
    parser.add_argument(
        "--subject", type=subject_id, metavar="ID", help=f"default: ${_PAM_VARIABLE}"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", default=Service.url, help=f"default {Service.url}")
    where.add_argument("--unix", type=path, metavar="PATH", help="the service's Unix socket")
    parser.add_argument(
        "--token-file", type=path, metavar="FILE",
        help=f"holds a terminal's token, for its owner alone (default: ${TOKEN_VARIABLE})",
    )  # fmt: skip
    parser.add_argument(
        "--device-key", type=path, default=_DEFAULT_KEY, metavar="FILE",
        help=f"public key under which the answer has to be signed (default {_DEFAULT_KEY})",
    )  # fmt: skip
    parser.add_argument("--timeout", type=seconds, default=20.0, metavar="S", help="default 20")
    return parser


def _verify(options: argparse.Namespace) -> int:
    subject = options.subject or check_subject(os.environ.get(_PAM_VARIABLE, ""))
    key = signing.load_public_key(options.device_key)
    token = _token(options.token_file)
    service = Service(options.url, options.unix)
    result = client.verify(service, token, key, subject, options.timeout)
    wait = f", wait {result.retry_after_s} s" if result.retry_after_s is not None else ""
    hint = f", {result.hint}" if result.hint is not None else ""
    sys.stdout.write(f"{subject}: {result.status}{hint}{wait}\n")
    return _EXIT_CODES[result.status]


def _token(file: Path | None) -> str:
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE, "")
    else:
        token = read_regular(file, _MAX_TOKEN_BYTES, UsageError, owner_only=True).decode("latin-1")
    if not token.strip().isascii() or not token.strip().isprintable() or not token.strip():
        raise UsageError(f"no token: name a --token-file, or set ${TOKEN_VARIABLE}")
    return token.strip()
