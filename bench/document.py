"""The documents of bench: JSON of frozen dataclasses, read back strictly."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edge_vessel import json_reader
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import UsageError
from edge_vessel.json_reader import StrictJsonError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MOST_BYTES = 2**24

Record = TypeVar("Record")


def text(record: "DataclassInstance") -> str:
    """The document."""
    return json.dumps(asdict(record), indent=1) + "\n"


def load(path: Path) -> dict[str, Any]:
    """What stands in a file; not yet checked, but for being JSON.

    Raises:
        UsageError: the file is missing or no JSON.
    """
    content = read_regular(path, _MOST_BYTES, UsageError, follow_symlinks=True)
    try:
        found = json_reader.loads(content)
    except StrictJsonError as error:
        raise UsageError(f"{path}: {_NOT_OURS}: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}: {_NOT_OURS}: the document is a {type(found).__name__}")
    return found


def check_version(document: dict[str, Any], version: int, path: Path) -> None:
    """Raises UsageError where `document`, read from `path`, says that it is of another one."""
    found = document.get("schema_version", version)
    if found != version:
        raise UsageError(
            f"{path}: schema version {found!r:.20}; this bench reads {version}: measure again"
        )


def build(kind: type[Record], document: dict[str, Any], path: Path) -> Record:
    """`document`, read from `path`, as `kind`.

    Raises:
        UsageError: it is none.
    """
    try:
        return json_reader.build(kind, document)
    except StrictJsonError as error:
        raise UsageError(f"{path}: {_NOT_OURS}: {error}") from error


_NOT_OURS = "not a run of this version's bench"
