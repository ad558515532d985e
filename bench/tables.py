"""Tables on stdout: what stands in them is text, never markup, whoever wrote it."""

import sys

from rich.table import Table
from rich.text import Text

from bench.section import Section
from edge_vessel.command_line import ResultConsole, printable

_UNBOUNDED = 240


def table(title: str, *columns: str, right: int = 0) -> Table:
    """An empty one; its last `right` columns hold figures."""
    made = Table(title=Text(printable(title)) if title else None)
    for number, name in enumerate(columns):
        figures = number >= len(columns) - right
        made.add_column(Text(name), justify="right" if figures else "left")
    return made


def add(made: Table, *cells: str) -> None:
    """A row."""
    made.add_row(*(Text(printable(cell)) for cell in cells))


def show(made: Table) -> None:
    """Prints it. A file or a pipe has no width: rich would squeeze a table into 80 columns."""
    width = None if sys.stdout.isatty() else _UNBOUNDED
    ResultConsole(width=width).print(made)


def show_section(section: Section, right: int) -> None:
    """Prints its table and remarks; its last `right` columns hold figures."""
    made = table(section.title, *section.header, right=right)
    for row in section.rows:
        add(made, *row)
    show(made)
    for remark in section.remarks:
        sys.stdout.write(printable(remark) + "\n")
