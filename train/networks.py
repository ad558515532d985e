"""`python -m train networks`: what each network of the registry costs."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass

from edge_vessel.errors import UsageError
from train.models import MODELS, create
from train.models.cost import multiply_adds, parameters


@dataclass(frozen=True)
class Cost:
    """Of one photograph `side_px` high and wide."""

    name: str
    parameters: int
    multiply_adds: int
    side_px: int


def networks(arguments: list[str]) -> None:
    """Counts, computes nothing.

    Raises:
        UsageError: a size that not every network takes.
    """
    parse = argparse.ArgumentParser(prog="python -m train networks", description=__doc__)
    parse.add_argument("--size", type=int, default=544, metavar="PX", help="height and width")
    parse.add_argument("--json", action="store_true")
    options = parse.parse_args(arguments)
    if options.size < 16 or options.size % 16:
        raise UsageError(f"--size {options.size}: a multiple of 16, such as 544")
    found = []
    for name in MODELS:
        network = create(name)
        madds = multiply_adds(network, options.size, options.size)
        found.append(Cost(name, parameters(network), madds, options.size))
    if options.json:
        sys.stdout.write(json.dumps([asdict(one) for one in found], indent=1) + "\n")
        return
    sys.stdout.write(
        f"| network | parameters | multiply-adds at {options.size} x {options.size} |\n"
        "| --- | ---: | ---: |\n"
    )
    for one in found:
        sys.stdout.write(f"| {one.name} | {one.parameters:,} | {one.multiply_adds / 1e9:.1f} G |\n")
