"""`edge-vessel kiosk serve`: opens store, model and camera, and listens."""

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from typing import get_args

from edge_vessel import models
from edge_vessel.artifact import open_artifact
from edge_vessel.biometrics import keys, renewal
from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.store import Store
from edge_vessel.biometrics.store_flags import add_store_flags
from edge_vessel.command_line import Parser, add_model_flags, guarded, path, seconds, whole_number
from edge_vessel.errors import UsageError
from edge_vessel.kiosk import device_key
from edge_vessel.kiosk.address import DEFAULT_BIND, Address, listen, tcp
from edge_vessel.kiosk.camera import KioskCamera, source_maker
from edge_vessel.kiosk.presentation import NoCheck, PresentationCheck
from edge_vessel.kiosk.recognition import Recognition
from edge_vessel.kiosk.stream_check import StreamCheck
from edge_vessel.kiosk.tokens import NAME as TOKENS
from edge_vessel.kiosk.tokens import Tokens
from edge_vessel.owner import owner
from edge_vessel.segmenter import Segmenter
from edge_vessel.signing import trusted_keys


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is told to stop; returns the exit code of the error tree."""
    options = parser().parse_args(arguments)
    return guarded(lambda: _serve(options))


def parser() -> argparse.ArgumentParser:
    """Flags, their types and defaults."""
    parse = Parser(
        prog="edge-vessel kiosk serve",
        description="The biometric kiosk as a service on this device.",
    )
    parse.add_argument(
        "--camera", required=True, metavar="DEVICE",
        help="0, /dev/video0, /dev/v4l/by-id/..., rtsp://..., gst:..., synthetic:fps=15, play:PATH",
    )  # fmt: skip
    add_model_flags(parse)
    add_store_flags(parse)
    parse.add_argument(
        "--templates", choices=get_args(renewal.Kind),
        help="how they are kept (default: as the store's are; clear in a new one)",
    )  # fmt: skip
    where = parse.add_mutually_exclusive_group()
    where.add_argument(
        "--bind", default=DEFAULT_BIND, metavar="ADDRESS:PORT",
        help=f"port 0: a free one (default {DEFAULT_BIND})",
    )  # fmt: skip
    where.add_argument("--unix", type=path, metavar="PATH", help="a Unix socket, mode 0660")
    parse.add_argument(
        "--allow-remote", action="store_true",
        help="let --bind name an address that others reach; TLS has to stand before it",
    )  # fmt: skip
    parse.add_argument(
        "--host-name", action="append", default=[], metavar="NAME",
        help="a name by which the service may be asked too; repeatable",
    )  # fmt: skip
    parse.add_argument(
        "--queue", type=whole_number(0, 1000), default=8, metavar="N",
        help="requests that may wait for the camera (default 8)",
    )  # fmt: skip
    parse.add_argument(
        "--enrol-pause", type=seconds, default=1.5, metavar="S",
        help="between two captures of an enrolment (default 1.5)",
    )  # fmt: skip
    parse.add_argument("--metrics-open", action="store_true", help="/metrics needs no token")
    parse.add_argument(
        "--demonstration", action="store_true",
        help="suspect no presentation attack, and say so on the page and in the status",
    )  # fmt: skip
    parse.add_argument(
        "--require-pulse", action="store_true",
        help="suspect eyes whose vessels do not beat; see docs/presentation.md",
    )  # fmt: skip
    return parse


def _serve(options: argparse.Namespace) -> int:
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(f"{error.name} is missing: pip install 'edge-vessel[kiosk]'") from error
    from edge_vessel.kiosk.api import create_app
    from edge_vessel.kiosk.kiosk import Kiosk, Settings
    from edge_vessel.kiosk.server import serve

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s: %(message)s")
    make_source = source_maker(options.camera)
    if (account := owner(options.store)) is not None:
        raise UsageError(
            f"{options.store}: is user {account.user}'s: serve as that user, not as root; or: "
            "systemctl start edge-vessel-kiosk"
        )
    key = keys.load(options.key)
    if options.unix is not None:
        address = Address(path=options.unix)
    else:
        address = tcp(options.bind, options.allow_remote)
    tokens = Tokens(options.store / TOKENS)
    if not tokens.all():
        sys.stderr.write(f"warning: {options.store}: has no token; see: kiosk token add\n")
    artifact = open_artifact(
        models.resolve(options.model), trusted_keys(options.trusted_key), options.allow_unsigned
    )
    settings = Settings(
        options.queue, options.enrol_pause, options.demonstration, options.metrics_open
    )
    make_check: Callable[[], PresentationCheck] = (
        NoCheck if options.demonstration else lambda: StreamCheck(options.require_pulse)
    )
    with Store(options.store, key, create=True) as store, contextlib.ExitStack() as stack:
        if options.templates is not None:
            renewal.settle(store, options.templates)
        recognition = Recognition(Segmenter(artifact, options.threads), store)
        camera = KioskCamera(make_source)
        stack.callback(camera.close)
        kiosk = Kiosk(
            store, recognition, camera, device_key.load_or_make(options.store),
            tokens, settings, make_check,
        )  # fmt: skip
        listener, address = listen(address)
        Audit(store).append("started", "ok")
        names = {name.lower() for name in options.host_name} | {address.host}
        serve(create_app(kiosk, names), kiosk, listener, address)
        Audit(store).append("stopped", "ok")
    return 0
