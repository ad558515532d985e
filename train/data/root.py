"""Where the data sets lie."""

import os
from pathlib import Path

from edge_vessel.errors import UsageError

DATA_VARIABLE = "EDGE_VESSEL_DATA"


def data_root(option: str | None) -> Path:
    """The folder that holds the data sets: the option, or the environment variable.

    Raises:
        UsageError: neither is set, or the folder does not exist.
    """
    value = option or os.environ.get(DATA_VARIABLE)
    if not value:
        raise UsageError(f"no data folder: name it with --data DIR or {DATA_VARIABLE}")
    root = Path(value)
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; --data names the one that holds DRIVE, ...")
    return root
