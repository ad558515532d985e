"""Sections as Markdown and as one HTML file: what stands in them is text, never markup."""

import base64
import re
from collections.abc import Sequence
from html import escape

from bench.section import Section

_STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:75em;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.3em .6em;border-bottom:1px solid #ccc;"
    "text-align:right}td:nth-child(-n+3),th:nth-child(-n+3){text-align:left}img{max-width:100%}"
)


def markdown(sections: Sequence[Section]) -> str:
    """A heading, a table and a list each."""
    return "\n".join(_markdown(one) for one in sections)


def _markdown(section: Section) -> str:
    table = [section.header, ("---",) * len(section.header), *section.rows]
    lines = [f"### {_escaped(section.title)}", ""]
    lines += [f"| {' | '.join(map(_escaped, row))} |" for row in table]
    return "\n".join([*lines, "", *(f"- {_escaped(said)}" for said in section.remarks), ""])


def _escaped(said: str) -> str:
    """Neither a tag, a link, code nor a cell of its own."""
    return re.sub(r"([\\`<\[|])", r"\\\1", said)


def html(sections: Sequence[Section], picture: bytes) -> str:
    """One file without anything from elsewhere: the picture, empty for none, is inside."""
    inside = base64.b64encode(picture).decode()
    drawn = (
        f'<img alt="The runs as pictures" src="data:image/png;base64,{inside}">\n' if inside else ""
    )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
        f"<title>edge_vessel bench</title><style>{_STYLE}</style>\n"
        f"{''.join(map(_html, sections))}{drawn}</html>\n"
    )


def _html(section: Section) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in section.header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in section.rows
    )
    said = "".join(f"<li>{escape(one)}</li>\n" for one in section.remarks)
    return (
        f"<h2>{escape(section.title)}</h2>\n<table><tr>{head}</tr>\n{body}</table>\n"
        f"<ul>\n{said}</ul>\n"
    )
