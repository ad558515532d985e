"""`python -m bench.estimate_ncnn ROOT PARAM`: what ncnn would take for a network on a Cortex-A72.

By the same model as `bench estimate`. ROOT is the arm64 folder of `bench.estimate_validation`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import document, estimated, flags, ncnn_emulation, run_file
from bench.conditions import git_revision
from bench.estimate_file import SCHEMA_VERSION, PeerEstimateRun
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, guarded, path, whole_number


def main(arguments: list[str] | None = None) -> int:
    """Prints, writes; 2 for a wrong call, 3 where an emulated program failed."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    engine, model = ncnn_emulation.prepare(options.root), estimated.model(ncnn_emulation.CPU)
    network, side, adds = options.network, options.side, options.multiply_adds
    with tempfile.TemporaryDirectory() as name:
        (found,) = ncnn_emulation.emulate([(network, side)], options.root, Path(name))
    report = PeerEstimateRun(
        SCHEMA_VERSION,
        "estimate_ncnn",
        "estimated",
        run_file.now(),
        git_revision(),
        engine,
        network.name,
        (side, side),
        adds,
        model,
        estimated.cost(found, adds, model, "fp32"),
        estimated.read_validation(model.cpu),
    )
    title = f"{engine}, {network.name} {side}x{side}"
    sys.stdout.write(estimated.text(title, report.cost, adds, model, report.validation))
    if options.output is not None:
        write_file(options.output, document.text(report).encode())
    return 0


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench.estimate_ncnn", description=__doc__)
    parse.add_argument("root", type=path)
    parse.add_argument("network", type=path, metavar="PARAM", help="its .bin lies beside it")
    parse.add_argument("--side", type=whole_number(1, 8192), required=True, metavar="PX")
    parse.add_argument("--multiply-adds", type=whole_number(1, 10**13), required=True, metavar="N")
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    return parse


if __name__ == "__main__":
    sys.exit(main())
