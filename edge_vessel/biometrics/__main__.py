"""`python -m edge_vessel.biometrics evaluate`: how often the matcher errs, and how sure that is."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from edge_vessel import models, signing
from edge_vessel.artifact import open_artifact
from edge_vessel.atomic import write_file
from edge_vessel.biometrics import captures, evaluation_table, pictures
from edge_vessel.biometrics.captures import Acquisition
from edge_vessel.biometrics.evaluation import Evaluation, evaluate
from edge_vessel.biometrics.evaluation_table import NOTE
from edge_vessel.biometrics.protected_evaluation import ProtectedEvaluation, evaluate_protected
from edge_vessel.command_line import (
    Parser,
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
        "note": NOTE,
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
        evaluation_table.write(done, protected)
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
