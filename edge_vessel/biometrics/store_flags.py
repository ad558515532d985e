"""`--store` and `--key`, of the commands that open a store."""

import argparse
import contextlib
from collections.abc import Iterator

from edge_vessel import command_line
from edge_vessel.biometrics import keys
from edge_vessel.biometrics.store import DEFAULT_FOLDER, Store
from edge_vessel.owner import as_owner


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


@contextlib.contextmanager
def opened(options: argparse.Namespace) -> Iterator[Store]:
    """The store that the flags name; root reads the key, which may be its own, and then acts as the
    owner of the folder."""
    key = keys.load(options.key)
    with as_owner(options.store), Store(options.store, key) as store:
        yield store
