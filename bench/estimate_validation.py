"""`python -m bench.estimate_validation ROOT`: the Cortex-A72's model against published times.

ncnn's authors have published what MobileNet and ResNet-18 take on an RK3399. The same networks,
with random weights, run here by ncnn's library for Arm under QEMU, and `bench estimate`'s model
says what they should take. ROOT is an arm64 root folder with Python, numpy and ncnn, as
bench/README.md makes it. Needs `pnnx`, which turns PyTorch's networks into ncnn's.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import torch

from bench import document, estimated, flags, ncnn_emulation, reference_networks, run_file, tables
from bench.conditions import git_revision
from bench.estimate_file import Checked, Model, Validation
from bench.ncnn_emulation import CPU
from bench.reference_networks import REFERENCES, SIDE_PX
from compile.estimate import tools
from compile.estimate.emulated import Estimate
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, guarded, path
from edge_vessel.errors import UsageError

_SOURCE = (
    "benchmark/README.md of github.com/Tencent/ncnn, Rockchip RK3399 (Cortex-A72 1.8GHz x 2 + "
    "Cortex-A53 1.5GHz x 4), nanopc-t4, benchncnn 8 1 2 -1 1: mean of 8, one thread, big cores"
)


def main(arguments: list[str] | None = None) -> int:
    """Prints a table; 2 for a wrong call, 3 where an emulated program failed."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    engine, model = ncnn_emulation.prepare(options.root), estimated.model(CPU)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        networks = [(_export(one, folder), SIDE_PX) for one in REFERENCES]
        found = ncnn_emulation.emulate(networks, options.root, folder)
    checked = tuple(_checked(name, one, model) for name, one in zip(REFERENCES, found, strict=True))
    validation = Validation(
        1, "estimated", run_file.now(), git_revision(), engine, _SOURCE, model, checked
    )
    _print(validation)
    if options.output is not None:
        write_file(options.output, document.text(validation).encode())
    return 0


def _export(name: str, folder: Path) -> Path:
    """The network as ncnn's .param and .bin."""
    if shutil.which("pnnx") is None:
        raise UsageError("pnnx is missing: pip install pnnx")
    torch.manual_seed(0)
    network = REFERENCES[name].build().eval()
    shape = (1, 3, SIDE_PX, SIDE_PX)
    torch.jit.trace(network, torch.zeros(shape)).save(str(folder / f"{name}.pt"))
    sides = ",".join(map(str, shape))
    tools.call(["pnnx", f"{name}.pt", f"inputshape=[{sides}]", "fp16=0"], folder)
    return folder / f"{name}.ncnn.param"


def _checked(name: str, found: Estimate, model: Model) -> Checked:
    reference = REFERENCES[name]
    multiply_adds, parameters = reference_networks.count(reference.build().eval())
    cost = estimated.cost(found, multiply_adds, model, "fp32")
    ratio = round(reference.published_ms / cost.ms, 3)
    return Checked(name, multiply_adds, parameters, cost, reference.published_ms, ratio)


def _print(validation: Validation) -> None:
    title = f"{validation.engine} on one {CPU}; ms, estimated, and as published"
    columns = ("GMAdds", "core", "memory", "estimated", "serial", "published", "ratio")
    table = tables.table(title, "network", *columns, right=len(columns))
    for one in validation.networks:
        cost = one.cost
        values = (cost.core_ms, cost.memory_ms, cost.ms, cost.serial_ms, one.published_ms)
        cells = [f"{value:.1f}" for value in values]
        gmadds = f"{one.multiply_adds / 1e9:.3f}"
        tables.add(table, one.name, gmadds, *cells, f"{one.published_to_estimated:.2f}")
    tables.show(table)
    low, high = validation.ratios
    sys.stdout.write(f"published times are {low:.2f} to {high:.2f} of the estimates\n")


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench.estimate_validation", description=__doc__)
    parse.add_argument("root", type=path)
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    return parse


if __name__ == "__main__":
    sys.exit(main())
