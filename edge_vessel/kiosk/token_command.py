"""`edge-vessel kiosk token add | list | remove`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rich.table import Table

from edge_vessel.atomic_folder import make_folder
from edge_vessel.biometrics.store import DEFAULT_FOLDER
from edge_vessel.command_line import Parser, ResultConsole, guarded, path
from edge_vessel.kiosk.tokens import NAME, Role, Tokens
from edge_vessel.owner import as_owner


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, or that of the error tree."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _as_owner(options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="edge-vessel kiosk token", description="Who may ask the kiosk what.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="make a token; it is printed this once")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=get_args(Role), required=True)
    add.set_defaults(command=_add)
    listing = commands.add_parser("list", help="names and roles")
    listing.set_defaults(command=_list)
    remove = commands.add_parser("remove", help="it opens nothing from now on")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(command=_remove)
    for command in (add, listing, remove):
        command.add_argument(
            "--store", type=path, default=DEFAULT_FOLDER, metavar="FOLDER",
            help=f"the store's folder, which holds {NAME} (default {DEFAULT_FOLDER})",
        )  # fmt: skip
    return parser


def _as_owner(options: argparse.Namespace) -> int:
    """The service that reads the tokens is the folder's owner; root is led nowhere by it."""
    with as_owner(options.store):
        options.command(options)
    return 0


def _add(options: argparse.Namespace) -> None:
    folder: Path = options.store
    make_folder(folder, 0o700)
    sys.stdout.write(Tokens(folder / NAME).add(options.name, options.role) + "\n")


def _list(options: argparse.Namespace) -> None:
    table = Table("name", "role", "created")
    for one in Tokens(options.store / NAME).all():
        table.add_row(one.name, one.role, one.created)
    ResultConsole(highlight=False).print(table)


def _remove(options: argparse.Namespace) -> None:
    Tokens(options.store / NAME).remove(options.name)
