"""`python -m bench estimate`: what one inference costs on a core that is not here.

Runs the artifact's whole inference under QEMU, counts the second one and weighs it with a model of
the core (compile/estimate). One thread does the work of all. Nothing is measured.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import document, estimated, flags, run_file
from bench.conditions import git_revision
from bench.estimate_file import SCHEMA_VERSION, EstimateRun
from bench.subject import Subject
from compile.estimate import emulated
from compile.estimate.machine import MACHINES
from edge_vessel import models, signing
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, add_trust_flags, path


def estimate(arguments: list[str]) -> int:
    """Estimates, prints, writes.

    Raises:
        UsageError: an option, or a program that is missing.
        ArtifactError: it cannot be trusted, or is not native code for this core.
        DeviceError: QEMU, the linker, llvm-mca or the disk failed.
    """
    options = parser().parse_args(arguments)
    trusted = signing.trusted_keys(options.trusted_key)
    artifact = open_artifact(models.resolve(options.artifact), trusted, options.allow_unsigned)
    if artifact.warning:
        sys.stderr.write(f"warning: {artifact.warning}\n")
    report = measure(artifact, options.cpu)
    if options.output is not None:
        write_file(options.output, document.text(report).encode())
    if options.json:
        sys.stdout.write(document.text(report))
    else:
        _print(report)
    return 0


def measure(artifact: Artifact, cpu: str) -> EstimateRun:
    """See `estimate`."""
    # Takes seconds to import the compiler: no artifact waits for it to be distrusted.
    from bench import whole_inference

    whole_inference.refuse(artifact, cpu, estimated.target(cpu).features)
    machine, caches = estimated.core(cpu)
    model = estimated.model(cpu)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = whole_inference.build(artifact, folder)
        (found,) = emulated.estimate([program], folder, cpu, machine, caches)
        whole_inference.check_output(artifact, folder)
    engine = artifact.manifest.engine
    subject = Subject.of(artifact, f"{engine.name} {engine.version}")
    cost = estimated.cost(found, subject.multiply_adds, model, subject.precision)
    validation = estimated.read_validation(cpu)
    return EstimateRun(
        SCHEMA_VERSION,
        "estimate",
        "estimated",
        run_file.now(),
        git_revision(),
        subject,
        model,
        cost,
        validation,
    )


def _print(report: EstimateRun) -> None:
    subject = report.subject
    height, width = subject.input
    title = f"{subject.name} {subject.precision} {width}x{height}"
    adds, validation = subject.multiply_adds, report.validation
    sys.stdout.write(estimated.text(title, report.cost, adds, report.model, validation))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = Parser(prog="python -m bench estimate", description=__doc__)
    parse.add_argument("artifact", type=path, help="a folder with native code for an Arm CPU")
    parse.add_argument(
        "--cpu", choices=MACHINES, default=next(iter(MACHINES)), help="default: %(default)s"
    )
    add_trust_flags(parse)
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    parse.add_argument("--json", action="store_true", help="print the report as JSON")
    return parse
