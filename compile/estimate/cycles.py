"""Weighs executed blocks with LLVM's model of a core's pipelines (llvm-mca)."""

import re
from collections import Counter
from pathlib import Path

from compile.estimate.machine import Machine
from compile.estimate.tools import call
from edge_vessel.errors import DeviceError

_WORD = 8  # hexadecimal digits of an instruction
_COVERAGE = 0.999
_ITERATIONS = 100
_TRIPLE = "triple=aarch64-linux-gnu"
_DISASSEMBLE = ("--disassemble", "--show-encoding")
_SUMMARY = ("-instruction-info=0", "-resource-pressure=0")
_ENCODED = re.compile(r"^\s+(\S.*?)\s*// encoding: \[(.*)\]$", re.MULTILINE)
_REGION = re.compile(r"Code Region - r(\d+)\n.*?^Total Cycles:\s+(\d+)$", re.MULTILINE | re.DOTALL)
_POST_INDEX = re.compile(r"((?:ld|st)\S+\s.*\[(\w+)\]), (#-?\d+|x\d+)")
# LLVM 14's models lack them and llvm-mca stops there; a libc takes its locks with a few a call.
_UNMODELLED = re.compile(r"(udf|cas|swp|ld(add|clr|eor|set)|st(add|clr|eor|set))\w*(\s.*)?")


def weigh(calls: list[Counter[str]], machine: Machine, folder: Path) -> list[float]:
    """Cycles of each call: its blocks, each as if it ran over and over, every load a cache hit.

    Args:
        calls: blocks -> executions, see `execution.Counts`.

    Raises:
        DeviceError: llvm-mca does not understand the instructions.
    """
    kept = [_most(blocks) for blocks in calls]
    costs = _costs(
        list(dict.fromkeys(block for blocks in kept for block in blocks)), machine, folder
    )
    found = []
    for blocks, most in zip(calls, kept, strict=True):
        share = instructions(most) / max(instructions(blocks), 1)
        cycles = sum(count * costs[block] for block, count in most.items())
        found.append(cycles / share if share else 0.0)
    return found


def instructions(blocks: Counter[str]) -> int:
    """How many were executed."""
    return sum(count * len(block) // _WORD for block, count in blocks.items())


def _most(blocks: Counter[str]) -> Counter[str]:
    """The blocks that hold nearly all executed instructions; llvm-mca takes long for each."""
    left = (1 - _COVERAGE) * instructions(blocks)
    most = Counter(blocks)
    for block in sorted(blocks, key=lambda one: blocks[one] * len(one)):
        left -= blocks[block] * len(block) / _WORD
        if left < 0:
            break
        del most[block]
    return most


def _costs(blocks: list[str], machine: Machine, folder: Path) -> dict[str, float]:
    """Cycles of one execution of each block."""
    words = {block: [block[i : i + _WORD] for i in range(0, len(block), _WORD)] for block in blocks}
    texts = _texts(sorted({word for one in words.values() for word in one}), machine, folder)
    lines = []
    for number, block in enumerate(blocks):
        body = [line for word in words[block] for line in texts[word]] or ["nop"]
        lines += [f"# LLVM-MCA-BEGIN r{number}", *body, "# LLVM-MCA-END"]
    said = call(
        [
            f"llvm-mca{machine.llvm}",
            f"-m{_TRIPLE}",
            f"-mcpu={machine.model}",
            f"-iterations={_ITERATIONS}",
            *_SUMMARY,
        ],
        folder,
        "\n".join(lines) + "\n",
    )
    cycles = {int(number): int(total) / _ITERATIONS for number, total in _REGION.findall(said)}
    if len(cycles) != len(blocks):
        raise DeviceError(f"estimate: llvm-mca weighed {len(cycles)} of {len(blocks)} blocks")
    return {block: cycles[number] for number, block in enumerate(blocks)}


def _texts(words: list[str], machine: Machine, folder: Path) -> dict[str, list[str]]:
    """Instructions as llvm-mca shall read them; none for what it does not know."""
    encoded = {word: [f"0x{byte:02x}" for byte in bytes.fromhex(word)[::-1]] for word in words}
    said = call(
        [f"llvm-mc{machine.llvm}", *_DISASSEMBLE, f"-{_TRIPLE}", f"-mcpu={machine.model}"],
        folder,
        "".join(" ".join(one) + "\n" for one in encoded.values()),
    )
    texts = {encoding: text for text, encoding in _ENCODED.findall(said)}
    return {word: _pipelined(texts.get(",".join(one), "udf")) for word, one in encoded.items()}


def _pipelined(text: str) -> list[str]:
    if _UNMODELLED.fullmatch(text):
        return []
    # llvm-mca lets the next use of the address wait for the loaded data, where the core adds to
    # the address beside the access: 5 cycles a load in a row instead of 1.
    found = _POST_INDEX.fullmatch(text)
    if found is None:
        return [text]
    access, register, step = found.groups()
    add = "sub" if step.startswith("#-") else "add"
    return [access, f"{add}\t{register}, {register}, {step.replace('-', '')}"]
