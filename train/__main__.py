"""`python -m train fit | evaluate | report | calibrate | slim | networks | octa | check-data`."""

import sys

from edge_vessel.errors import EdgeVesselError

USAGE = """usage: python -m train COMMAND ...
  fit         train a network (flags of Lightning; --config, --data, --output, --resume, --seed)
  evaluate    score a checkpoint on a data set
  report      evaluations as one table: seeds, data sets, curves
  calibrate   fold a temperature into a checkpoint, so that 0.8 means 8 in 10
  slim        a checkpoint without optimiser, to keep or to compile
  networks    parameters and multiply-adds of each network
  octa        volumes of OCTA: render, labels, fit, evaluate, networks, report (OCTA.md)
  check-data  say what is missing, damaged or mislabelled
"""


def main(arguments: list[str]) -> int:
    """Runs one command; imports no more than it needs."""
    command, rest = (arguments[0] if arguments else ""), arguments[1:]
    try:
        if command == "fit":
            from train.fit import fit

            fit(rest)
        elif command == "evaluate":
            from train.evaluate import evaluate

            evaluate(rest)
        elif command == "report":
            from train.report import report

            report(rest)
        elif command == "calibrate":
            from train.calibration import calibrate

            calibrate(rest)
        elif command == "slim":
            from train.models.checkpoint import slim

            slim(rest)
        elif command == "networks":
            from train.networks import networks

            networks(rest)
        elif command == "octa":
            from train.octa.command import octa

            octa(rest)
        elif command == "check-data":
            from train.check_data import check_data

            return check_data(rest)
        else:
            asked = command in ("-h", "--help")
            (sys.stdout if asked else sys.stderr).write(USAGE)
            return 0 if asked else 2
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("train", "edge_vessel"):
            raise
        sys.stderr.write(f"error: {error.name} is missing: pip install -e '.[train]'\n")
        return 2
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
