"""`python -m bench report`: runs as one table, on the terminal, as Markdown, HTML and pictures."""

import argparse
import base64
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from bench import energy_table, flags, tables
from bench.conditions import BUSY_PERCENT, course
from bench.published import LAIBACHER_2019
from bench.run_file import Case, EnergyCase, EnergyRun, Run, read, read_inference, read_trace
from bench.trace import Reading
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, path, printable
from edge_vessel.errors import UsageError

HEADER = (
    "machine", "case", "kind", "p50 ms", "p95 ms", "p99 ms", "total p50 ms", "first ms", "load ms",
    "GMAdd/s", "of peak", "memory MB", "artifact MB", "power",
)  # fmt: skip
NO_METER = "no meter"
_STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:75em;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.3em .6em;border-bottom:1px solid #ccc;"
    "text-align:right}td:nth-child(-n+3),th:nth-child(-n+3){text-align:left}img{max-width:100%}"
)


@dataclass(frozen=True)
class Read:
    """A run, its inference times by case, and the readings of its meter where it is of energy."""

    path: Path
    run: Run
    inference_ms: list[list[float]]
    trace: list[Reading]


def report(arguments: list[str]) -> int:
    """Reads, tells, draws.

    Raises:
        UsageError: a file is no run, or pictures are asked for without matplotlib.
        DeviceError: the disk.
    """
    options = _parser().parse_args(arguments)
    found = []
    for one in options.runs:
        run = read(one)
        trace = read_trace(one, run) if isinstance(run, EnergyRun) else []
        found.append(Read(one, run, read_inference(one, run), trace))
    picture = _picture(found) if options.png or options.html else None
    rows = [cells(each.run, case) for each in found for case in each.run.cases]
    if options.png and picture is not None:
        write_file(options.png, picture)
    if options.markdown:
        write_file(options.markdown, markdown(found, rows).encode())
    if options.html and picture is not None:
        write_file(options.html, html(found, rows, picture).encode())
    _print(found, rows)
    return 0


def cells(run: Run, case: Case) -> list[str]:
    """A row under `HEADER`; what was not measured is said, never guessed."""
    share = "unknown" if case.peak is None else f"{case.peak.percent:.1f} %"
    inference = case.stages.inference
    return [
        run.conditions.machine.cpu,
        case.title,
        run.kind,
        *(f"{value:.1f}" for value in (inference.p50_ms, inference.p95_ms, inference.p99_ms)),
        f"{case.stages.total.p50_ms:.1f}",
        f"{case.first_inference_ms:.0f}",
        f"{case.load_ms:.0f}",
        f"{case.gmadds_per_s:.2f}",
        share,
        f"{case.peak_rss_mb:.0f}",
        f"{case.subject.size_bytes / 1e6:.1f}",
        power(run, case),
    ]


def power(run: Run, case: Case) -> str:
    """What a meter said, by which meter and of which kind; or that none did."""
    if not (isinstance(run, EnergyRun) and isinstance(case, EnergyCase)):
        return NO_METER
    found, source = case.energy, f"{run.meter.kind} by {run.meter.name}"
    if found.loaded_power_w is None:
        return f"no joules: {found.why}"
    above = found.above_idle_per_inference_j
    parts = [
        f"{found.loaded_power_w} W",
        "above idle unknown" if above is None else f"{above} J per inference above idle",
        source,
        *(["short windows"] if found.short else []),
    ]
    return ", ".join(parts)


def remarks(found: Sequence[Read]) -> list[str]:
    """Conditions of each run, what makes its energy weaker than it looks, and a published power."""
    lines = []
    for one in found:
        lines.append(conditions_line(one))
        for case in one.run.cases:
            if isinstance(case, EnergyCase):
                lines += [f"{case.title}: {said}" for said in energy_table.remarks(case.energy)]
    if any(isinstance(one.run, EnergyRun) for one in found):
        lines.append(f"for comparison: {LAIBACHER_2019}")
    return lines


def conditions_line(one: Read) -> str:
    """Under which conditions a run's figures hold."""
    found = one.run.conditions
    parts = [
        f"{found.machine.model}, {found.machine.os}, Linux {found.machine.kernel}",
        f"governor {', '.join(found.governors) or 'unknown'}",
        course(found),
        *(["measured all the same"] if found.forced and found.busy_percent > BUSY_PERCENT else []),
        f"slowed by {', '.join(found.throttle)}" if found.throttle else "not slowed",
        f"edge_vessel {found.versions.edge_vessel}, revision {found.git_revision or 'unknown'}",
        one.run.created,
    ]
    return f"{printable(one.path.name)}: {'; '.join(parts)}"


def markdown(found: Sequence[Read], rows: Sequence[Sequence[str]]) -> str:
    """The table, then `remarks`."""
    table = [list(HEADER), ["---"] * len(HEADER), *map(list, rows)]
    lines = [f"| {' | '.join(map(_escaped, row))} |" for row in table]
    return "\n".join([*lines, "", *(f"- {_escaped(said)}" for said in remarks(found)), ""])


def _escaped(said: str) -> str:
    """Neither a tag, a link, code nor a cell of its own."""
    return re.sub(r"([\\`<\[|])", r"\\\1", said)


def html(found: Sequence[Read], rows: Sequence[Sequence[str]], picture: bytes) -> str:
    """One file without anything from elsewhere: the picture is inside."""
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADER)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows
    )
    said = "".join(f"<li>{escape(one)}</li>\n" for one in remarks(found))
    inside = base64.b64encode(picture).decode()
    what = "Latency and power" if any(one.trace for one in found) else "Latency"
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
        f"<title>edge_vessel bench</title><style>{_STYLE}</style>\n<h1>{what}</h1>\n"
        f"<table><tr>{head}</tr>\n{body}</table>\n<ul>\n{said}</ul>\n"
        f'<img alt="{what} of each case" src="data:image/png;base64,{inside}">\n</html>\n'
    )


def _picture(found: Sequence[Read]) -> bytes:
    try:
        from bench.plots import picture
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--png, --html: {error.name} is missing: pip install -e '.[bench]'"
        ) from error
    cases = [
        (case, samples)
        for one in found
        for case, samples in zip(one.run.cases, one.inference_ms, strict=True)
    ]
    return picture(cases, [(one.run, one.trace) for one in found if isinstance(one.run, EnergyRun)])


def _print(found: Sequence[Read], rows: Sequence[Sequence[str]]) -> None:
    table = tables.table("", *HEADER)
    for row in rows:
        tables.add(table, *row)
    tables.show(table)
    if any(isinstance(one.run, EnergyRun) for one in found):
        sys.stdout.write(f"for comparison: {LAIBACHER_2019}\n")
    else:
        sys.stdout.write(
            "power: no meter; see `python -m edge_vessel.doctor` for what can be attached\n"
        )


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench report", description=__doc__)
    parse.add_argument("runs", type=path, nargs="+", metavar="RUN.json")
    for flag in ("--markdown", "--html", "--png"):
        parse.add_argument(flag, type=flags.output, metavar="FILE")
    return parse
