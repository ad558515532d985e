"""What `python -m compile` takes."""

import argparse
import sys
from pathlib import Path

from compile import targets
from compile.size import parse_size
from compile.targets import CompileTarget
from edge_vessel.errors import UsageError
from edge_vessel.manifest import NONE

MAX_THREADS = 1024  # what a manifest takes


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    """The options, `engine` filled in.

    Raises:
        UsageError: options that cannot go together, found before anything long begins.
    """
    options = _parser().parse_args(arguments)
    target = None if options.target is None else targets.find(options.target)
    portable = target is None or (options.precision == "int8" and not target.widens)
    options.engine = options.engine or ("onnx" if portable else "tvm")
    if options.engine == "tvm" and options.target is None:
        raise UsageError(f"--engine tvm needs --target: {', '.join(targets.TARGETS)}")
    if options.threads is not None and not 1 <= options.threads <= MAX_THREADS:
        raise UsageError(f"threads {options.threads}: from 1 to {MAX_THREADS}")
    _check_gpu(options, target)
    _check_precision(options)
    _check_tuning(options)
    return options


def _check_gpu(options: argparse.Namespace, target: CompileTarget | None) -> None:
    accelerator = NONE if target is None else target.accelerator
    if options.gpu_runtime is not None and accelerator != "opencl":
        raise UsageError("--gpu-runtime goes with a --target of OpenCL")
    if accelerator != NONE and options.engine == "tvm" and options.threads not in (None, 1):
        raise UsageError(f"threads {options.threads}: code for a GPU is launched by one")


def _check_precision(options: argparse.Namespace) -> None:
    if options.precision == "fp32":
        return
    if (options.precision, options.engine) == ("int8", "onnx"):
        if options.data is None:
            raise UsageError(
                "--precision int8 in --engine onnx needs --data, whose training photographs it is "
                "calibrated on"
            )
        return
    able = [
        name
        for name, one in targets.TARGETS.items()
        if one.accelerator == NONE and (one.half if options.precision == "fp16" else one.widens)
    ]
    if options.engine != "tvm" or options.target not in able:
        hint = "" if options.precision == "fp16" else "; --engine onnx computes it anywhere"
        raise UsageError(
            f"--precision {options.precision} gains nothing on other cores: it is for --target "
            f"{' or '.join(able)}{hint}"
        )


def _check_tuning(options: argparse.Namespace) -> None:
    if options.tune is None:
        if options.rpc or options.records:
            raise UsageError("--rpc and --records go with --tune N")
        return
    if options.tune < 0 or options.records is None:
        raise UsageError(f"--tune {options.tune}: from 0 on, with --records DIR to keep them in")
    if options.engine != "tvm" or targets.find(options.target).accelerator != NONE:
        raise UsageError("--tune measures native code for a CPU: give such a --target")


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        prog="python -m compile",
        description="A network becomes an artifact: export, rewrites, native code, golden "
        "self-test, signature.",
    )
    parse.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT|ONNX", help="of `train fit`, or *.onnx"
    )
    parse.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parse.add_argument("--name", help="default: the folder's name")
    parse.add_argument("--version", type=int, default=1, help="grows with every release")
    parse.add_argument(
        "--size",
        type=parse_size,
        metavar="PX|HxW",
        help="default: 544x544; of patches of a volume: the window that it was evaluated by",
    )
    parse.add_argument("--target", metavar="NAME", help="compile for it; see --list-targets")
    parse.add_argument("--list-targets", action=_ListTargets, nargs=0)
    parse.add_argument(
        "--engine",
        choices=("tvm", "onnx"),
        help="default: tvm with --target, else a portable ONNX file",
    )
    parse.add_argument(
        "--precision",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="fp16: for a --target with such arithmetic; int8: for an ARMv8.0 core, or in --engine "
        "onnx, calibrated on the training photographs of --data",
    )
    parse.add_argument("--threads", type=int, metavar="N", help="default: the target's")
    parse.add_argument(
        "--tune",
        type=int,
        metavar="N",
        help="measure up to N block sizes and schedules of each operator; 0: what --records hold",
    )
    parse.add_argument(
        "--records", type=Path, metavar="DIR", help="where measurements are kept, and found again"
    )
    parse.add_argument(
        "--rpc", metavar="HOST:PORT/KEY", help="measure on a board, lent by TVM's tracker there"
    )
    parse.add_argument(
        "--gpu-runtime",
        type=Path,
        metavar="FILE",
        help="libtvm_runtime_opencl.so in place of the one that is built here for OpenCL",
    )
    parse.add_argument(
        "--explain", action="store_true", help="print what each pass and step does and costs"
    )
    parse.add_argument(
        "--evaluation",
        type=Path,
        action="append",
        default=[],
        metavar="JSON",
        help="report of `train evaluate` for this checkpoint: threshold and metrics come from it; "
        "may be repeated for other test sets, by the same threshold",
    )
    parse.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help="of an ONNX file's vessels, or of a network of OCTA without an evaluation",
    )
    parse.add_argument("--logits", action="store_true", help="the ONNX file has no sigmoid")
    parse.add_argument("--licence", default="Apache-2.0", help="of the weights")
    parse.add_argument(
        "--golden",
        type=Path,
        required=True,
        metavar="IMAGE",
        help="photograph of the self-test; for a network of OCTA a volume",
    )
    parse.add_argument(
        "--data", metavar="DIR", help="data sets: checks parity on the test photographs"
    )
    parse.add_argument("--key", type=Path, metavar="FILE", help="private key to sign with")
    parse.add_argument("--overwrite", action="store_true")
    return parse


class _ListTargets(argparse.Action):
    """Prints the table and ends, as --help does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(targets.table())
        parser.exit()
