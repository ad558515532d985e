"""`python -m train octa`: volumes of OCTA, from vessel graphs to a table."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from edge_vessel.atomic import write_file
from edge_vessel.atomic_folder import make_folder
from edge_vessel.command_line import Parser, path, whole_number
from train.data import octa_synth
from train.data.root import data_root
from train.data.voxelise import Appearance
from train.models.checkpoint import load_checkpoint
from train.octa.costs import costs
from train.octa.evaluation import evaluate
from train.octa.fit import Run, fit
from train.octa.report import read_reports, table
from train.octa.settings import read_settings
from train.pictures import compared, write_png

_MAX_SEED = 2**31 - 1
_T = TypeVar("_T")


def octa(arguments: list[str]) -> None:
    """Runs one of its commands.

    Raises:
        UsageError: an option, a file or a folder is wrong.
        DeviceError: the disk.
    """
    options = _parser().parse_args(arguments)
    run: Callable[[Namespace], None] = options.run
    run(options)


def _render(options: Namespace) -> None:
    graphs = octa_synth.graphs(data_root(options.data))[: options.eyes]
    names = [octa_synth.identity(one) for one in graphs]
    averaged = octa_synth.DEPTH // max(1, options.depth)
    appearance = Appearance(**dict.fromkeys(options.without, False))
    record = octa_synth.RenderRecord(names, options.seed, options.depth, averaged, appearance)
    done = octa_synth.render_all(graphs, options.output, record, options.processes)
    count = sum(1 for _ in _shown(done, "render", len(graphs)))
    sys.stdout.write(f"{options.output}: {count} synthetic eyes, depth {options.depth}\n")


def _labels(options: Namespace) -> None:
    root = data_root(options.data)
    graphs = octa_synth.graphs(root)[: options.eyes]
    shown = _shown(graphs, "draw", len(graphs))
    dice = [octa_synth.label_dice(root, one, options.side) for one in shown]
    lowest, average = min(dice), sum(dice) / len(dice)
    if options.json:
        document = {"side_px": options.side, "eyes": len(dice), "dice_mean": average, "dice": dice}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    sys.stdout.write(
        f"rendered labels against the data set's, {len(dice)} eyes at {options.side} px: "
        f"Dice {average:.4f} on average, {lowest:.4f} at least\n"
    )


def _fit(options: Namespace) -> None:
    run = Run(
        read_settings(options.config),
        octa_synth.read_eyes(options.eyes),
        options.output,
        options.seed,
        options.first_stage,
        options.resume,
        options.save_every,
    )
    said = fit(run, lambda descent: _shown(descent, descent.stage, len(descent)))
    sys.stdout.write(f"{said}\n")


def _evaluate(options: Namespace) -> None:
    eyes = octa_synth.read_eyes(options.eyes)
    checkpoint = load_checkpoint(options.checkpoint)
    report, kept = evaluate(
        options.checkpoint,
        checkpoint,
        eyes,
        options.limit,
        lambda all_: list(_shown(all_, "eyes", len(all_))),
    )
    if options.output is not None:
        write_file(options.output, (json.dumps(asdict(report), indent=1) + "\n").encode())
    if options.pictures is not None:
        make_folder(options.pictures)
        for one in kept:
            picture = compared(one.mask(report.rows[0].threshold), one.label)
            write_png(options.pictures / f"{one.id}.png", picture)
    if options.json:
        sys.stdout.write(json.dumps(asdict(report), indent=1) + "\n")
        return
    for row in report.rows:
        scores = ", ".join(f"{k} {v:.4f}" for k, v in asdict(row.scores).items() if v is not None)
        sys.stdout.write(f"{row.rule}, {row.averaging}: {scores}\n")


def _networks(options: Namespace) -> None:
    found = costs(options.size, options.input == "projection")
    if options.output is not None:
        content = json.dumps([asdict(one) for one in found], indent=1) + "\n"
        write_file(options.output, content.encode())
    if options.json:
        sys.stdout.write(json.dumps([asdict(one) for one in found], indent=1) + "\n")
        return
    sys.stdout.write(
        "| network | input | parameters | multiply-adds |\n| --- | --- | ---: | ---: |\n"
    )
    for one in found:
        shape = f"{one.channels} x {one.depth} x {one.side_px} x {one.side_px}"
        sys.stdout.write(
            f"| {one.name} | {shape} | {one.parameters:,} | {one.multiply_adds / 1e9:.2f} G |\n"
        )


def _report(options: Namespace) -> None:
    sys.stdout.write(table(read_reports(options.paths)))


def _shown(items: Iterable[_T], title: str, total: int) -> Iterable[_T]:
    console = Console(stderr=True)
    return track(items, title, total, console=console, disable=not console.is_terminal)


def _parser() -> Parser:
    parse = Parser(prog="python -m train octa", description=__doc__)
    commands = parse.add_subparsers(required=True, metavar="COMMAND")

    def add(run: Callable[[Namespace], None], name: str, says: str) -> Parser:
        one: Parser = commands.add_parser(name, help=says, description=says)
        one.set_defaults(run=run)
        return one

    render = add(_render, "render", "volumes, projections and labels of the vessel graphs")
    labels = add(_labels, "labels", "rendered labels against the data set's own images")
    for one in (render, labels):
        one.add_argument("--data", metavar="DIR", help="the folder that holds OCTA_SYNTH")
        one.add_argument("--eyes", type=whole_number(1, 10**6), help="only the first N")
    render.add_argument("--output", type=path, required=True, metavar="DIR")
    render.add_argument("--depth", type=whole_number(1, octa_synth.DEPTH), default=32)
    render.add_argument("--seed", type=whole_number(0, _MAX_SEED), default=0)
    render.add_argument(
        "--without",
        action="append",
        default=[],
        choices=[one.name for one in fields(Appearance)],
        help="leave this out; repeatable",
    )
    render.add_argument("--processes", type=whole_number(1, 1024), default=1)
    labels.add_argument("--side", type=whole_number(1, 1216), default=1216, metavar="PX")

    train = add(_fit, "fit", "train a network on rendered eyes")
    train.add_argument("--config", type=path, required=True, metavar="YAML")
    train.add_argument("--eyes", type=path, required=True, metavar="DIR", help="of render")
    train.add_argument("--output", type=path, required=True, metavar="DIR")
    train.add_argument("--seed", type=whole_number(0, _MAX_SEED), default=0)
    train.add_argument("--first-stage", type=path, metavar="CKPT", help="a trained ipn_v2")
    train.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    train.add_argument(
        "--save-every",
        type=whole_number(1, 10**9),
        default=Run.save_every,
        metavar="STEPS",
        help="how often the state for --resume is written (default %(default)s)",
    )

    score = add(_evaluate, "evaluate", "a checkpoint on the test eyes")
    score.add_argument("--checkpoint", type=path, required=True, metavar="FILE")
    score.add_argument("--eyes", type=path, required=True, metavar="DIR", help="of render")
    score.add_argument("--limit", type=whole_number(1, 10**6), help="only the first N test eyes")
    score.add_argument("--output", type=path, metavar="JSON")
    score.add_argument("--pictures", type=path, metavar="DIR")

    networks = add(_networks, "networks", "parameters and multiply-adds, and the ablation's")
    networks.add_argument("--size", type=whole_number(8, 4096), default=304, metavar="PX")
    networks.add_argument("--input", choices=("volume", "projection"), default="volume")
    networks.add_argument("--output", type=path, metavar="JSON")
    for one in (labels, score, networks):
        one.add_argument("--json", action="store_true")

    report = add(_report, "report", "evaluations as one table, seeds of one setting in one line")
    report.add_argument("paths", type=path, nargs="+", metavar="JSON")
    return parse
