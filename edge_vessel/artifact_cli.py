"""`python -m edge_vessel.artifact`: verify, show, keygen, sign."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from edge_vessel import engines, models, signing
from edge_vessel import manifest as manifests
from edge_vessel.artifact import Artifact, open_artifact, sign
from edge_vessel.command_line import (
    Parser,
    ResultConsole,
    add_threads_flag,
    add_trust_flags,
    guarded,
)
from edge_vessel.errors import ArtifactError, EdgeVesselError
from edge_vessel.json_text import strict_json
from edge_vessel.manifest import AnyManifest, OctaManifest
from edge_vessel.selftest import run_selftest

WORDS = {"True": "yes", "False": "no", "None": "none"}


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, or that of the error tree."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: options.command(options) or 0)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="edge-vessel artifact", description="Verify, show and sign artifacts.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verify = commands.add_parser(
        "verify", help="check signature, files and target, and run the golden self-test"
    )
    show = commands.add_parser("show", help="print the manifest of a verified artifact")
    for command in (verify, show):
        command.add_argument(
            "path", type=lambda text: models.resolve(Path(text)), nargs="?",
            default=models.default_path(), metavar="PATH",
            help=f"the artifact's folder, or a bundled one: {', '.join(models.PINNED)}",
        )  # fmt: skip
        add_trust_flags(command)
        command.add_argument("--json", action="store_true", help="one JSON document on stdout")
    add_threads_flag(verify)
    verify.set_defaults(command=_verify)
    show.set_defaults(command=_show)
    keygen = commands.add_parser("keygen", help="make a key pair: PATH.key and PATH.pub.pem")
    keygen.add_argument("path", type=Path, metavar="PATH")
    keygen.set_defaults(command=_keygen)
    signer = commands.add_parser("sign", help="sign an artifact in place")
    signer.add_argument("path", type=Path, metavar="PATH")
    signer.add_argument("--key", type=Path, required=True, metavar="FILE", help="a private key")
    signer.set_defaults(command=_sign)
    return parser


def _verify(options: argparse.Namespace) -> None:
    report: dict[str, Any] = {"path": str(options.path), "ok": False, "error": None}
    try:
        artifact = _open(options)
        report |= _identity(artifact)
        threads = engines.choose_threads(artifact, options.threads)
        report |= {"threads": threads, "fits_this_machine": False, "selftest": None}
        artifact.check_target()
        report["fits_this_machine"] = True
        selftest = run_selftest(artifact, threads)
        report["selftest"] = asdict(selftest)
        if not selftest.passed:
            raise ArtifactError(
                f"{artifact.folder}: the self-test is off by {selftest.max_abs_difference:.2g} "
                f"(mean {selftest.mean_abs_difference:.2g}), more than {selftest.tolerance}; use "
                "an artifact built for this machine"
            )
        report["ok"] = True
    except EdgeVesselError as error:
        report["error"] = str(error)
        raise
    finally:
        if options.json:
            sys.stdout.write(strict_json(report) + "\n")
        elif "name" in report:
            _print_table("artifact", {name: report[name] for name in report if name != "error"})


def _show(options: argparse.Namespace) -> None:
    try:
        artifact = _open(options)
    except EdgeVesselError as error:
        if options.json:
            failure = {"path": str(options.path), "error": str(error)}
            sys.stdout.write(strict_json(failure) + "\n")
        raise
    if options.json:
        sys.stdout.write(manifests.to_json(artifact.manifest).decode())
        return
    document = asdict(artifact.manifest)
    lists = {name: document.pop(name) for name in ("metrics", "files")}
    _print_table(f"{artifact.manifest.name}, {artifact.trust}", document)
    for name, rows in lists.items():
        if rows:
            table = Table(*rows[0], title=name, title_justify="left")
            for row in rows:
                table.add_row(*(Text(str(value), overflow="fold") for value in row.values()))
            ResultConsole(highlight=False).print(table)


def _keygen(options: argparse.Namespace) -> None:
    private, public = signing.generate(options.path)
    shown = signing.fingerprint(signing.load_public_key(public))
    sys.stdout.write(
        f"private key {private} (keep it off the board)\npublic key  {public}\n"
        f"fingerprint {shown}\n"
        f"trust it on a board: install -D -m 644 {public} "
        f"{signing.TRUSTED_FOLDER / public.name}\n"
    )


def _sign(options: argparse.Namespace) -> None:
    artifact = sign(options.path, signing.load_private_key(options.key))
    sys.stdout.write(f"{artifact.folder}: {artifact.trust}\n")


def _open(options: argparse.Namespace) -> Artifact:
    trusted = signing.trusted_keys(options.trusted_key)
    artifact = open_artifact(options.path, trusted, options.allow_unsigned)
    if artifact.warning is not None:
        sys.stderr.write(f"warning: {artifact.warning}\n")
    return artifact


def _identity(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "trust": artifact.trust,
        "manifest_sha256": artifact.manifest_sha256,
        "model": manifest.model.architecture,
        "input": _size(manifest),
        "engine": asdict(manifest.engine),
        "target": asdict(manifest.target),
    }


def _size(manifest: AnyManifest) -> dict[str, int]:
    size = {"height": manifest.input.height, "width": manifest.input.width}
    if isinstance(manifest, OctaManifest):
        return {"channels": len(manifest.input.channels), "depth": manifest.input.depth, **size}
    return size


def _print_table(title: str, document: dict[str, Any]) -> None:
    table = Table("field", "value", title=title, title_justify="left", show_header=False)
    for name, value in _rows(document):
        table.add_row(name, Text(value, overflow="fold"))
    ResultConsole(highlight=False).print(table)


def _rows(document: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, tuple) and any(isinstance(one, dict) for one in value):
            rows += _rows({str(index): one for index, one in enumerate(value)}, f"{prefix}{name}.")
        elif isinstance(value, dict):
            rows += _rows(value, f"{prefix}{name}.")
        else:
            shown = (
                " ".join(value) if isinstance(value, tuple) else WORDS.get(str(value), str(value))
            )
            # A file name may hold bytes that are no UTF-8.
            rows.append((prefix + name, shown.encode("utf-8", "backslashreplace").decode()))
    return rows
