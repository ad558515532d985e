"""`python -m train COMMAND`: the parts of training."""

import sys
from importlib import import_module

from edge_vessel.errors import EdgeVesselError

USAGE = """usage: python -m train COMMAND ...
  fit         train a network (flags of Lightning; --config, --data, --output, --resume, --seed)
  evaluate    score a checkpoint on a data set
  report      evaluations as one table: seeds, data sets, curves
  calibrate   fold a temperature into a checkpoint, so that 0.8 means 8 in 10
  soft-labels what teachers make of the training photographs, for fit to learn beside the labels
  slim        a checkpoint without optimiser, to keep or to compile
  networks    parameters and multiply-adds of each network
  octa        volumes of OCTA: render, labels, fit, evaluate, networks, report (OCTA.md)
  check-data  say what is missing, damaged or mislabelled
"""


COMMANDS = {
    "fit": "train.fit:fit",
    "evaluate": "train.evaluate:evaluate",
    "report": "train.report:report",
    "calibrate": "train.calibration:calibrate",
    "soft-labels": "train.soft_labels:soft_labels",
    "slim": "train.models.checkpoint:slim",
    "networks": "train.networks:networks",
    "octa": "train.octa.command:octa",
    "check-data": "train.check_data:check_data",
}


def main(arguments: list[str]) -> int:
    """Runs one command; imports no more than it needs."""
    command, rest = (arguments[0] if arguments else ""), arguments[1:]
    if command not in COMMANDS:
        asked = command in ("-h", "--help")
        (sys.stdout if asked else sys.stderr).write(USAGE)
        return 0 if asked else 2
    module, _, function = COMMANDS[command].partition(":")
    try:
        return getattr(import_module(module), function)(rest) or 0
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("train", "edge_vessel"):
            raise
        sys.stderr.write(f"error: {error.name} is missing: pip install -e '.[train]'\n")
        return 2
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
