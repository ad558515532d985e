"""`python -m bench.estimate_validation ROOT`: the Cortex-A72's model against published times.

ncnn's authors have published what MobileNet and ResNet-18 take on an RK3399. The same networks,
with random weights, run here by ncnn's library for Arm under QEMU, and `bench estimate`'s model
says what they should take. ROOT is an arm64 root folder with Python, numpy and ncnn, as
bench/README.md makes it. Needs `pnnx`, which turns PyTorch's networks into ncnn's.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from bench import estimated, flags, reference_networks, run_file, tables
from bench.conditions import git_revision
from bench.estimated import Checked, Model, Validation
from bench.reference_networks import REFERENCES, SIDE_PX
from compile.estimate import emulated, tools
from compile.estimate.emulated import Estimate
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, guarded, path
from edge_vessel.errors import UsageError

CPU = "cortex-a72"
_GUEST = Path(__file__).with_name("ncnn_guest.py")
_MARKS = Path(__file__).with_name("marks.c")
_PACKAGES = "usr/local/lib/python3.11/dist-packages"
_SOURCE = (
    "benchmark/README.md of github.com/Tencent/ncnn, Rockchip RK3399 (Cortex-A72 1.8GHz x 2 + "
    "Cortex-A53 1.5GHz x 4), nanopc-t4, benchncnn 8 1 2 -1 1: mean of 8, one thread, big cores"
)
# As a Cortex-A72 shows itself; ncnn reads it, and would find the workstation's.
_CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 2
"""


def main(arguments: list[str] | None = None) -> int:
    """Prints a table; 2 for a wrong call, 3 where an emulated program failed."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    version, model = _prepare(options.root), estimated.model(CPU)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.network:
            networks = [(one.resolve(), options.side) for one in options.network]
            _print_others(networks, emulate(networks, options.root, folder))
            return 0
        networks = [(_export(one, folder), SIDE_PX) for one in REFERENCES]
        found = emulate(networks, options.root, folder)
    checked = tuple(_checked(name, one, model) for name, one in zip(REFERENCES, found, strict=True))
    validation = Validation(
        1, "estimated", run_file.now(), git_revision(), f"ncnn {version}", _SOURCE, model, checked
    )
    _print(validation)
    if options.output is not None:
        write_file(options.output, (json.dumps(asdict(validation), indent=1) + "\n").encode())
    return 0


def emulate(networks: Sequence[tuple[Path, int]], root: Path, folder: Path) -> list[Estimate]:
    """Of one inference of each ncnn network, a .param and its side in pixels.

    Raises:
        UsageError: a program is missing.
        DeviceError: ncnn or QEMU failed.
    """
    machine, caches = estimated.core(CPU)
    options = ["-O2", "-shared", "-fPIC", "-o", "marks.so"]
    tools.call(["aarch64-linux-gnu-gcc", *options, str(_MARKS)], folder)
    python = ["-L", str(root.resolve()), str(root.resolve() / "usr/bin/python3.11")]
    programs = [
        [*python, str(_GUEST), "./marks.so", str(network), str(side)] for network, side in networks
    ]
    return emulated.estimate(programs, folder, CPU, machine, caches)


def _prepare(root: Path) -> str:
    """Version of the ncnn in `root`, which gets a Cortex-A72's /proc/cpuinfo."""
    wheels = sorted((root / _PACKAGES).glob("ncnn-*.dist-info"))
    if not wheels or not (root / "usr/bin/python3.11").exists():
        raise UsageError(f"{root}: no arm64 root folder with ncnn; bench/README.md makes one")
    (root / "proc").mkdir(exist_ok=True)
    write_file(root / "proc" / "cpuinfo", _CPUINFO.encode())
    return wheels[-1].name.removesuffix(".dist-info").partition("-")[2]


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


def _print_others(networks: Sequence[tuple[Path, int]], found: Sequence[Estimate]) -> None:
    for (network, side), one in zip(networks, found, strict=True):
        sys.stdout.write(
            f"{network.name} {side}x{side}: {1e3 * one.seconds:.1f} ms, estimated "
            f"({1e3 * one.serial_seconds:.1f} if nothing overlapped): {one.cycles / 1e6:.1f} M "
            f"cycles, {one.instructions / 1e6:.1f} M instructions, "
            f"{(one.bytes_read + one.bytes_written) / 1e6:.1f} MB to and from memory\n"
        )


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench.estimate_validation", description=__doc__)
    parse.add_argument("root", type=path)
    parse.add_argument(
        "--network", type=path, action="append", default=[], metavar="PARAM",
        help="estimate this network of ncnn in place of the published ones; repeatable",
    )  # fmt: skip
    parse.add_argument("--side", type=int, default=544, metavar="PX", help="of --network")
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    return parse


if __name__ == "__main__":
    sys.exit(main())
