"""`python -m bench report`: runs as tables, on the terminal, as Markdown, HTML and pictures."""

import argparse
import base64
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from bench import (
    accuracy_table,
    beside_paper,
    documents,
    energy_table,
    estimate_table,
    flags,
    gpu_table,
    presentation_table,
    repeatability_table,
    run_table,
    tables,
)
from bench.accuracy_file import AccuracyRun
from bench.documents import Document
from bench.estimate_file import EstimateRun, PeerEstimateRun
from bench.gpu_file import GpuRun
from bench.peers import table as peers_table
from bench.peers.document import PeersRun
from bench.presentation_file import PresentationRun
from bench.repeatability_file import RepeatabilityRun
from bench.run_file import EnergyRun, Run, read_inference, read_trace
from bench.section import Section
from bench.trace import Reading
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, path
from edge_vessel.errors import UsageError

_STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:75em;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.3em .6em;border-bottom:1px solid #ccc;"
    "text-align:right}td:nth-child(-n+3),th:nth-child(-n+3){text-align:left}img{max-width:100%}"
)


@dataclass(frozen=True)
class Read:
    """A run of latency or energy, its inference times by case, and its meter's readings."""

    path: Path
    run: Run
    inference_ms: list[list[float]]
    trace: list[Reading]

    @classmethod
    def of(cls, file: Path, run: Run) -> "Read":
        """Raises UsageError where the CSVs are not there."""
        trace = read_trace(file, run) if isinstance(run, EnergyRun) else []
        return cls(file, run, read_inference(file, run), trace)


def report(arguments: list[str]) -> int:
    """Reads, tells, draws.

    Raises:
        UsageError: a file is no run, or pictures are asked for of nothing or without matplotlib.
        DeviceError: the disk.
    """
    options = _parser().parse_args(arguments)
    stored = [(one, documents.read(one)) for one in options.runs]
    timed = [Read.of(one, run) for one, run in stored if isinstance(run, Run)]
    rest = [run for _, run in stored if not isinstance(run, Run)]
    sections = _sections(timed, rest)
    picture = _picture(options, timed, rest) if options.png or options.html else None
    if options.png and picture is not None:
        write_file(options.png, picture)
    if options.markdown:
        write_file(options.markdown, markdown(sections).encode())
    if options.html and picture is not None:
        write_file(options.html, html(sections, picture).encode())
    for number, section in enumerate(sections):
        sys.stdout.write("\n" if number else "")
        tables.show_section(section, right=0)
    return 0


def _sections(timed: Sequence[Read], rest: Sequence[Document]) -> list[Section]:
    runs = [one.run for one in timed]
    found: list[Section] = []
    if timed:
        found += [run_table.section([(one.path, one.run) for one in timed]), run_table.stages(runs)]
    found += [energy_table.section(run) for run in runs if isinstance(run, EnergyRun)]
    for run in rest:
        if isinstance(run, PeersRun):
            found.append(peers_table.section(run))
        elif isinstance(run, GpuRun):
            found.append(gpu_table.section(run))
        elif isinstance(run, AccuracyRun):
            found.append(accuracy_table.section(run))
        elif isinstance(run, PresentationRun):
            found.append(presentation_table.section(run))
        elif isinstance(run, RepeatabilityRun):
            found.append(repeatability_table.section(run))
    estimates = [run for run in rest if isinstance(run, EstimateRun | PeerEstimateRun)]
    found += [estimate_table.section(estimates)] if estimates else []
    accuracies = [run for run in rest if isinstance(run, AccuracyRun)]
    elsewhere = [run for run in rest if isinstance(run, EstimateRun | GpuRun)]
    paper = beside_paper.section(accuracies, [*runs, *elsewhere])
    return found if paper is None else [*found, paper]


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


def _picture(options: argparse.Namespace, timed: Sequence[Read], rest: Sequence[Document]) -> bytes:
    """Empty where there is nothing to draw.

    Raises:
        UsageError: matplotlib is missing, or a picture of nothing is asked for.
    """
    try:
        from bench.plots import picture
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--png, --html: {error.name} is missing: pip install -e '.[bench]'"
        ) from error
    if not timed:
        if options.png:
            raise UsageError(
                f"{options.png}: nothing to draw: no run of latency or energy is given"
            )
        return b""
    cases = [
        (case, samples)
        for one in timed
        for case, samples in zip(one.run.cases, one.inference_ms, strict=True)
    ]
    traces = [(one.run, one.trace) for one in timed if isinstance(one.run, EnergyRun)]
    return picture(cases, traces, [run for run in rest if isinstance(run, AccuracyRun)])


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench report", description=__doc__)
    parse.add_argument("runs", type=path, nargs="+", metavar="RUN.json")
    for flag in ("--markdown", "--html", "--png"):
        parse.add_argument(flag, type=flags.output, metavar="FILE")
    return parse
