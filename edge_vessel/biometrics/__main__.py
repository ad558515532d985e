"""`python -m edge_vessel.biometrics evaluate`: how often the matcher errs, and how sure that is."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from edge_vessel import models, signing
from edge_vessel.artifact import open_artifact
from edge_vessel.atomic import write_file
from edge_vessel.biometrics import captures, pictures, protected_table
from edge_vessel.biometrics.captures import Acquisition
from edge_vessel.biometrics.error_rates import Rate
from edge_vessel.biometrics.evaluation import Evaluation, Scores, evaluate
from edge_vessel.biometrics.protected_evaluation import ProtectedEvaluation, evaluate_protected
from edge_vessel.command_line import (
    Parser,
    ResultConsole,
    add_model_flags,
    guarded,
    leave,
    output,
    path,
    whole_number,
)
from edge_vessel.errors import UsageError
from edge_vessel.progress import shown
from edge_vessel.segmenter import Segmenter

_NOTE = (
    "Pairs share captures and people: the intervals take them as independent, so they are too "
    "narrow. Without errors the upper limit is the rule of three, 3 over the number of pairs.\n"
)
_PIPE_WIDTH = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _evaluate(options))


def _evaluate(options: argparse.Namespace) -> int:
    if options.png is not None:
        pictures.require_matplotlib()
    files = captures.people(options.data)
    for folder in (options.cache, *options.synthetic):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; name one that is there")
    artifact = open_artifact(
        models.resolve(options.model),
        signing.trusted_keys(options.trusted_key),
        options.allow_unsigned,
    )
    segmenter = Segmenter(artifact, options.threads)
    acquisition = Acquisition(segmenter, artifact.manifest_sha256, options.cache)
    sources = [("photographs", captures.photographed(files))]
    if options.synthetic:
        sources.append(("synthetic", captures.synthetic(options.synthetic, options.seed)))
    done: list[Evaluation] = []
    protected: list[ProtectedEvaluation] = []
    for kind, source in sources:
        taken = [acquisition.capture(one) for one in shown(source, f"segmenting {kind}")]
        indices = shown(range(len(taken)), f"comparing {kind}")
        if options.protected:
            protected.append(evaluate_protected(kind, taken, options.seed, indices))
            done.append(protected[-1].evaluation)
        else:
            done.append(evaluate(kind, taken, indices))
    document = {
        "kind": "measured",
        "artifact": {artifact.manifest.name: artifact.manifest_sha256},
        "note": _NOTE.strip(),
        "seed": options.seed,
        "evaluations": [asdict(one) for one in protected or done],
    }
    text = json.dumps(_rounded(document)) + "\n"
    if options.output is not None:
        write_file(options.output, text.encode())
    if options.png is not None:
        write_file(options.png, pictures.picture(done, [one.linked for one in protected]))
    if options.json:
        sys.stdout.write(text)
    else:
        _print(done, protected)
    return 0


def _rounded(value: object) -> object:
    """Four decimals are more than a score says."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value


def _print(evaluations: Sequence[Evaluation], protected: Sequence[ProtectedEvaluation]) -> None:
    table = Table(title="Comparison trials: errors / trials (95 % interval)")
    for name in ("data", "method", "threshold", "FMR", "FNMR", "EER", "mated", "non-mated", "gap"):
        table.add_column(name)
    for one in evaluations:
        for method in one.methods:
            table.add_row(one.kind, *_cells(method))
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    ResultConsole(width=width).print(table)
    for one in evaluations:
        times = ", ".join(f"{each.method} {each.compare_ms:.1f} ms" for each in one.methods)
        enrol = one.failure_to_enrol
        sys.stdout.write(
            f"{one.kind}: {one.subjects} subjects; failure to acquire "
            f"{_rate(one.failure_to_acquire)}, to enrol "
            f"{'not tried' if enrol is None else _rate(enrol)}; template "
            f"{one.template_bytes:.0f} bytes, {one.information_bits:.0f} bits (medians); "
            f"a comparison: {times}\n"
        )
    sys.stdout.write(_NOTE)
    if protected:
        protected_table.write(protected, width)


def _cells(method: Scores) -> list[str]:
    rates = method.rates
    return [
        method.method,
        f"{rates.threshold:.2f}",
        _rate(rates.fmr),
        _rate(rates.fnmr),
        f"{100 * rates.eer:.2f} %" if rates.gap <= 0 else "no errors",
        f"{min(method.mated):.2f} to {max(method.mated):.2f}",
        f"{min(method.non_mated):.2f} to {max(method.non_mated):.2f}",
        f"{rates.gap:.2f}",
    ]


def _rate(rate: Rate) -> str:
    return f"{rate.errors}/{rate.trials} ({100 * rate.low:.2g} to {100 * rate.high:.2g} %)"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m edge_vessel.biometrics", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="evaluate")
    evaluates = commands.add_parser("evaluate", help=__doc__)
    evaluates.add_argument("data", type=path, help="holds a folder of captures for each person")
    evaluates.add_argument(
        "--synthetic",
        type=path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="photographs of different eyes, each seen by two virtual cameras; repeatable",
    )
    evaluates.add_argument(
        "--protected",
        action="store_true",
        help="protected templates beside those in the clear, and whether they can be linked",
    )
    evaluates.add_argument("--seed", type=whole_number(0, 2**31), default=0, metavar="N")
    evaluates.add_argument(
        "--cache", type=path, metavar="FOLDER", help="keeps the vessel maps, which identify people"
    )
    evaluates.add_argument("--output", type=output, metavar="JSON")
    evaluates.add_argument("--png", type=output, metavar="FILE", help="histograms and DET curves")
    evaluates.add_argument("--json", action="store_true", help="print the document as JSON")
    add_model_flags(evaluates)
    return parser


if __name__ == "__main__":
    leave(main())
