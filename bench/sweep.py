"""`python -m bench sweep`: one network at several input sizes, cost and memory a megapixel.

Builds an artifact a size with `python -m compile` (a workstation's matter; on a board, `bench
latency` takes the artifacts and `bench report --png` draws the law), then measures them in turns.
The runtime takes one photograph at a time: there is no batch to sweep.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import flags, run_file, tables
from bench.cases import cores_in_use
from bench.cost_law import cost_law
from bench.latency import latency
from bench.latency import parser as latency_parser
from bench.run_file import Case
from compile import targets
from edge_vessel.board import read_board
from edge_vessel.command_line import Parser, path
from edge_vessel.errors import UsageError, kind_of

_COLUMNS = ("input", "Mpx", "ms", "ms a Mpx", "GMAdd/s", "memory MB", "MB a Mpx")


def sweep(arguments: list[str]) -> int:
    """Builds, measures, prints; further options are those of `bench latency`.

    Raises:
        UsageError: an option, the checkpoint or a size that the network cannot take.
        DeviceError: the machine is busy or hot, or an engine or the disk failed.
    """
    options, rest = _parser().parse_known_args(arguments)
    for flag in ("--allow-unsigned", "--trusted-key", "--engines", "--json"):
        if flag in (one.partition("=")[0] for one in rest):
            raise UsageError(f"{flag}: not for sweep, which builds its artifacts itself")
    # Wrong options are said before anything is built.
    cores_in_use(latency_parser().parse_args(rest), read_board())
    if options.target is not None:
        targets.find(options.target)
    with tempfile.TemporaryDirectory() as folder:
        built = [_build(options, size, Path(folder)) for size in options.sizes]
        output = options.output or Path(folder) / "run.json"
        rest += ["--image", str(options.image or options.golden)]
        code = latency([*map(str, built), "--allow-unsigned", "--output", str(output), *rest])
        run = run_file.read(output)
    _print(run.cases)
    return code


def _build(options: argparse.Namespace, size: int, folder: Path) -> Path:
    """Raises what `python -m compile` says, with its exit code."""
    output = folder / f"{options.checkpoint.stem}-{size}"
    command = [sys.executable, "-W", "ignore", "-m", "compile", options.checkpoint]
    command += ["--evaluation", options.evaluation, "--golden", options.golden]
    command += ["--size", size, "-o", output]
    if options.target is not None:
        command += ["--target", options.target]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["python -m compile failed"])[-1]
        raise kind_of(done.returncode)(said.removeprefix("error: "))
    return output


def _print(cases: Sequence[Case]) -> None:
    for threads in sorted({case.threads for case in cases}):
        chosen = [case for case in cases if case.threads == threads]
        title = f"{threads} thread{'s' if threads > 1 else ''}; inference, median"
        table = tables.table(title, *_COLUMNS, right=len(_COLUMNS))
        smallest = min(chosen, key=lambda case: float(np.prod(case.subject.input)))
        for case in chosen:
            height, width = case.subject.input
            pixels, more = height * width / 1e6, ""
            if case is not smallest:
                least = float(np.prod(smallest.subject.input)) / 1e6
                more = f"{(case.peak_rss_mb - smallest.peak_rss_mb) / (pixels - least):.0f}"
            median_ms = case.stages.inference.p50_ms
            tables.add(
                table,
                f"{width}x{height}",
                f"{pixels:.3f}",
                f"{median_ms:.1f}",
                f"{median_ms / pixels:.1f}",
                f"{case.gmadds_per_s:.1f}",
                f"{case.peak_rss_mb:.0f}",
                more,
            )
        tables.show(table)
        at, power = cost_law(chosen)
        sys.stdout.write(
            f"{at:.1f} ms at a megapixel, growing with its power {power:.2f} (1 is linear)\n"
        )
    sys.stdout.write("MB a Mpx: peak memory above the smallest input's, by megapixels above it\n")


def _sizes(text: str) -> list[int]:
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: such as 256,544,960") from error
    if found[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: {found[0]} pixels: such as 256,544,960")
    if len(found) < 2:
        raise argparse.ArgumentTypeError(f"{text!r}: two sizes or more, such as 256,544,960")
    return found


def _parser() -> argparse.ArgumentParser:
    parse = Parser(
        prog="python -m bench sweep",
        description=__doc__,
        epilog="further options: those of bench latency",
        allow_abbrev=False,
    )
    parse.add_argument("checkpoint", type=path, help="of train fit")
    parse.add_argument("--sizes", type=_sizes, default=[256, 544, 960, 1440], metavar="PX,PX")
    parse.add_argument("--evaluation", type=path, required=True, metavar="JSON")
    parse.add_argument("--golden", type=path, required=True, metavar="IMAGE")
    parse.add_argument("--image", type=path, metavar="FILE", help="default: the golden one")
    parse.add_argument("--target", metavar="NAME", help="native code in place of ONNX")
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    return parse
