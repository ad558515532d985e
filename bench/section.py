"""A part of a report: a table and what is to be said of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Cells and remarks are plain text; `rows` are as long as `header`."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()
