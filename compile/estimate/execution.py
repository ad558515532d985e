"""Runs aarch64 programs under QEMU with plugin.c, and reads what was counted."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from compile.estimate.tools import call
from edge_vessel.engines import cores
from edge_vessel.errors import DeviceError

_PLUGIN = Path(__file__).with_name("plugin.c")


@dataclass(frozen=True)
class Counts:
    """Of what ran between the two marks.

    Attributes:
        blocks: instructions of a translated block, 8 hexadecimal digits each -> executions.
        l1_misses, l2_misses, write_backs: lines; see plugin.c.
    """

    blocks: Counter[str]
    l1_misses: int
    l2_misses: int
    write_backs: int


def run(
    programs: Sequence[Sequence[str]], folder: Path, cpu: str, caches: Sequence[int]
) -> list[Counts]:
    """Of each program; as many at a time as there are cores.

    Args:
        programs: QEMU's own options, the program and its arguments.
        folder: they run in it; the plugin is built there.
        cpu: as QEMU names it.
        caches: bytes and ways of the first level, bytes and ways of the second.

    Raises:
        DeviceError: a program failed, or QEMU takes no plugin.
    """
    call(["gcc", "-O2", "-shared", "-fPIC", "-o", "plugin.so", str(_PLUGIN)], folder)
    named = zip(("l1", "l1ways", "l2", "l2ways"), caches, strict=True)
    plugin = ",".join(["./plugin.so", *(f"{name}={value}" for name, value in named)])
    command = ["qemu-aarch64", "-cpu", cpu, "-plugin", plugin]
    with ThreadPoolExecutor(len(cores.available())) as pool:
        said = pool.map(lambda program: call([*command, *program], folder), programs)
        return [_read(text) for text in said]


def _read(text: str) -> Counts:
    blocks: Counter[str] = Counter()
    for line in text.splitlines():
        kind, *values = line.split()
        if kind == "call":
            return Counts(blocks, *(int(value) for value in values))
        blocks[values[1]] += int(values[0])
    raise DeviceError("estimate: QEMU's plugin counted nothing")
