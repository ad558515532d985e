"""`edge-vessel store`: keygen, status, list, delete, check-receipt, rotate, renew."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from edge_vessel.biometrics import keys, receipt, renewal
from edge_vessel.biometrics.audit import Audit
from edge_vessel.biometrics.enrolment_record import subject_id
from edge_vessel.biometrics.schema import SCHEMA_VERSION
from edge_vessel.biometrics.store_flags import add_store_flags, opened
from edge_vessel.bounded_read import read_regular
from edge_vessel.command_line import Parser, ResultConsole, guarded, path
from edge_vessel.errors import UsageError
from edge_vessel.json_reader import StrictJsonError
from edge_vessel.json_text import strict_json
from edge_vessel.owner import as_owner

_MAX_RECEIPT_BYTES = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, or that of the error tree."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: options.command(options) or 0)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="edge-vessel store", description="The templates of a kiosk.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    keygen = commands.add_parser("keygen", help="write a new key to FILE, for its owner alone")
    keygen.add_argument("file", type=path, metavar="FILE")
    keygen.set_defaults(command=_keygen)
    status = commands.add_parser("status", help="open every template and count")
    status.set_defaults(command=_status)
    listing = commands.add_parser("list", help="who is enrolled, without a template")
    listing.set_defaults(command=_list)
    delete = commands.add_parser("delete", help="remove a subject for good; prints the receipt")
    delete.add_argument("subject", type=subject_id, metavar="SUBJECT")
    delete.add_argument("--template", metavar="ID", help="this template alone")
    delete.set_defaults(command=_delete)
    check = commands.add_parser("check-receipt", help="did this store issue the receipt in FILE?")
    check.add_argument("file", type=path, metavar="FILE")
    check.set_defaults(command=_check_receipt)
    rotate = commands.add_parser("rotate", help="seal all templates under another key")
    rotate.add_argument(
        "--new-key", type=keys.source, required=True, metavar="SOURCE",
        help="as --key; keep the old one until this has ended",
    )  # fmt: skip
    rotate.set_defaults(command=_rotate)
    renew = commands.add_parser(
        "renew", help="revoke and remove all protected templates; prints a receipt a line"
    )
    renew.set_defaults(command=_renew)
    for command in (status, listing, delete, check, rotate, renew):
        add_store_flags(command)
    for command in (status, listing):
        command.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser


def _keygen(options: argparse.Namespace) -> None:
    with as_owner(options.file.parent):
        keys.generate(options.file)
    sys.stdout.write(f"key {options.file} (without it nothing in the store can be read)\n")


def _status(options: argparse.Namespace) -> None:
    with opened(options) as store:
        enrolments = [each.enrolment for each in store.templates()]
        kind = renewal.kind_of(store)
    report = {
        "store": str(options.store),
        "schema_version": SCHEMA_VERSION,
        "template_kind": kind,
        "subjects": len({each.subject for each in enrolments}),
        "templates": len(enrolments),
    }
    if options.json:
        sys.stdout.write(strict_json(report) + "\n")
        return
    sys.stdout.write("".join(f"{name:15} {value}\n" for name, value in report.items()))


def _list(options: argparse.Namespace) -> None:
    with opened(options) as store:
        enrolments = store.enrolments()
    if options.json:
        sys.stdout.write(strict_json({"enrolments": [asdict(each) for each in enrolments]}) + "\n")
        return
    table = Table("subject", "template", "version", "enrolled")
    for each in enrolments:
        table.add_row(each.subject, each.template_id, str(each.version), each.enrolled_at)
    ResultConsole(highlight=False).print(table)


def _delete(options: argparse.Namespace) -> None:
    with opened(options) as store:
        with store.transaction():
            done = store.delete(options.subject, options.template)
            Audit(store).append("delete", "ok", options.subject)
        sys.stdout.write(f"{done}\n")


def _check_receipt(options: argparse.Namespace) -> None:
    content = read_regular(options.file, _MAX_RECEIPT_BYTES, UsageError, follow_symlinks=True)
    try:
        shown = receipt.parse(content)
    except StrictJsonError as error:
        raise UsageError(f"{options.file}: is no receipt: {error}") from error
    with opened(options) as store:
        if not store.issued(shown):
            raise UsageError(f"{options.file}: is not this store's, or was changed")
    sys.stdout.write(
        f"genuine: {len(shown.template_ids)} templates of {shown.subject} removed at "
        f"{shown.deleted_at}\n"
    )


def _rotate(options: argparse.Namespace) -> None:
    new_key = keys.load(options.new_key)
    with opened(options) as store, store.transaction():
        Audit(store).append("rotate", "ok")
        count = store.rotate(new_key)
    sys.stdout.write(f"{count} templates sealed anew; the old key opens nothing: remove it\n")


def _renew(options: argparse.Namespace) -> None:
    with opened(options) as store:
        receipts = renewal.renew(store)
    sys.stdout.write("".join(f"{each}\n" for each in receipts))
    sys.stderr.write(f"{len(receipts)} subjects removed; they have to be enrolled again\n")
