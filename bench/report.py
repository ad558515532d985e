"""`python -m bench report`: runs as tables, on the terminal, as Markdown, HTML and pictures."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    trace,
)
from bench.accuracy_file import AccuracyRun
from bench.documents import Document
from bench.estimate_file import EstimateRun, PeerEstimateRun
from bench.gpu_file import GpuRun
from bench.pages import html, markdown
from bench.peers import table as peers_table
from bench.peers.document import PeersRun
from bench.presentation_file import PresentationRun
from bench.repeatability_file import RepeatabilityRun
from bench.run_file import EnergyRun, Run, read_inference, read_trace
from bench.section import Section
from bench.trace import PowerTrace, Reading
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, path
from edge_vessel.errors import UsageError

Stored = tuple[Path, Document]
"""A document and its file."""


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
        readings = read_trace(file, run) if isinstance(run, EnergyRun) else []
        return cls(file, run, read_inference(file, run), readings)


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
    picture = _picture(options, timed, stored) if options.png or options.html else None
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


def _picture(options: argparse.Namespace, timed: Sequence[Read], stored: Sequence[Stored]) -> bytes:
    """Empty where there is nothing to draw.

    Raises:
        UsageError: matplotlib is missing, or a picture of nothing is asked for.
    """
    try:
        from bench.plots import Timing, picture
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--png, --html: {error.name} is missing: pip install -e '.[bench]'"
        ) from error
    traces = [*_traces(timed), *_gpu_traces(stored)]
    if not timed and not traces:
        if options.png:
            raise UsageError(
                f"{options.png}: nothing to draw: no times and no power's trace in these"
            )
        return b""
    timings = [
        Timing(case, samples, one.run.conditions.machine.cpu)
        for one in timed
        for case, samples in zip(one.run.cases, one.inference_ms, strict=True)
    ]
    return picture(timings, traces, [run for _, run in stored if isinstance(run, AccuracyRun)])


def _traces(timed: Sequence[Read]) -> Iterator[PowerTrace]:
    for one in timed:
        if isinstance(one.run, EnergyRun):
            loaded = {
                case.energy.loaded.name: (case.title, case.energy.loaded_power_w)
                for case in one.run.cases
            }
            meter = one.run.meter
            yield PowerTrace(f"{meter.name}, {meter.kind}", one.trace, loaded)


def _gpu_traces(stored: Sequence[Stored]) -> Iterator[PowerTrace]:
    """Raises UsageError where a CSV is not there."""
    for file, run in stored:
        if isinstance(run, GpuRun) and run.energy is not None and run.trace is not None:
            loaded = {run.energy.loaded.name: (run.subject.name, run.energy.loaded_power_w)}
            yield PowerTrace(str(run.meter), trace.read(file, run.trace), loaded)


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench report", description=__doc__)
    parse.add_argument("runs", type=path, nargs="+", metavar="RUN.json")
    for flag in ("--markdown", "--html", "--png"):
        parse.add_argument(flag, type=flags.output, metavar="FILE")
    return parse
