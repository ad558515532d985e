"""`--store` and `--key`, of the commands that open a store."""

import argparse

from edge_vessel import command_line
from edge_vessel.biometrics import keys
from edge_vessel.biometrics.store import DEFAULT_FOLDER, Store


def add_store_flags(parser: argparse.ArgumentParser) -> None:
    """`--store FOLDER --key SOURCE`."""
    parser.add_argument(
        "--store", type=command_line.path, default=DEFAULT_FOLDER, metavar="FOLDER",
        help=f"the store's folder (default {DEFAULT_FOLDER})",
    )  # fmt: skip
    parser.add_argument(
        "--key", type=keys.source, required=True, metavar="SOURCE",
        help="the store's key: a file, keyring:NAME or credential:NAME",
    )  # fmt: skip


def open_existing(options: argparse.Namespace) -> Store:
    """The store that the flags name; the key is read first."""
    return Store(options.store, keys.load(options.key))
