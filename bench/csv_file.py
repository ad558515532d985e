"""The CSVs beside a run, which names them and knows their hashes."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from bench.quantities import Sha256
from edge_vessel.atomic import write_file
from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import UsageError
from edge_vessel.json_reader import Form

_MOST_BYTES = 2**28


@dataclass(frozen=True)
class CsvFile:
    """In the folder of the run."""

    file: Annotated[str, Form(r"[^/]+\.csv", "the name of a CSV without a folder")]
    sha256: Sha256


def beside(run: Path, what: str) -> Path:
    """Of the whole name: `a.json` and `a.txt` are two runs."""
    return run.with_name(f"{run.name}.{what}.csv")


def write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> CsvFile:
    """Writes it.

    Raises:
        DeviceError: the disk.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    content = table.getvalue().encode()
    write_file(path, content)
    return CsvFile(path.name, hashlib.sha256(content).hexdigest())


def read(run: Path, named: CsvFile | None, columns: Sequence[str]) -> Iterator[list[str]]:
    """The rows, each as long as `columns`.

    Args:
        run: the document that names it.
        named: by it; None where the run was not stored.
        columns: what its first line must say.

    Raises:
        UsageError: there is none, or it is not the one that was written with the run.
    """
    if named is None:
        raise UsageError(f"{run}: names no CSV beside it: measure with --output")
    path = run.parent / named.file
    content = read_regular(path, _MOST_BYTES, UsageError, follow_symlinks=True)
    if hashlib.sha256(content).hexdigest() != named.sha256:
        raise UsageError(f"{path}: is not the file that was written with {run}: measure again")
    try:
        rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        for number, row in enumerate(rows):
            if len(row) != len(columns) or (number == 0 and row != list(columns)):
                raise UsageError(f"{path}: line {number + 1}: not {','.join(columns)}")
            if number:
                yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no CSV: {error}") from error
