"""`--explain`: which pass did what, and what every compiled step computes and keeps."""

import math

from compile.native import Native
from compile.rewrite import Saved
from compile.schedules.bottleneck import RING_ROWS, Bottleneck
from compile.schedules.core import FLOAT_BYTES, Core
from compile.schedules.producers import Expand, Join, Stem


def explain_passes(saved: list[Saved]) -> str:
    """One line a pass; figures follow from the graph, nothing is measured."""
    lines = ["PASS               FOUND  MULTIPLY-ADDS SAVED  ACTIVATIONS SAVED"]
    for one in saved:
        adds = one.before.multiply_adds - one.after.multiply_adds
        size = one.before.activation_bytes - one.after.activation_bytes
        lines.append(
            f"{one.name:<18} {one.count:>5}  {adds / 1e6:>17.1f} M  {size / 1e6:>14.1f} MB"
        )
    return "\n".join(lines) + "\n"


def explain_steps(native: Native) -> str:
    """One line a step: estimated work, the map written, and the ring that stays in the cache."""
    lines = ["STEP  KIND    HIDDEN MAP      STRIDE  MULTIPLY-ADDS     WRITES       RING  STRIPS"]
    for number, step in enumerate(native.steps):
        one = step.bottleneck
        size = f"{one.width}x{one.height}x{one.producer.channels}"
        out = one.output
        floats = out.height * out.width if one.final else math.prod(out.shape(native.core))
        written = floats * FLOAT_BYTES
        ring, strips = _ring(one, native.core)
        lines.append(
            f"{number:>4}  {_kind(one):<6}  {size:<14} {one.stride:>7}  "
            f"{multiply_adds(one) / 1e6:>11.1f} M  {written / 1e6:>6.2f} MB  "
            f"{ring / 1024:>5.0f} KiB  {strips:>6}"
        )
    total = sum(multiply_adds(step.bottleneck) for step in native.steps)
    lines.append(f"all   {'':<30}  {total / 1e6:>11.1f} M")
    return "\n".join(lines) + "\n"


def multiply_adds(one: Bottleneck) -> int:
    """Of one bottleneck, its upsampling left out."""
    channels, out = one.producer.channels, one.output
    pixels, hidden = out.height * out.width, one.height * one.width
    inner = one.producer.weights.size
    shortcut = 0 if one.shortcut is None else one.shortcut.size
    return hidden * inner + pixels * (9 * channels + one.project.size + shortcut)


def _ring(one: Bottleneck, core: Core) -> tuple[int, int]:
    pitch = RING_ROWS * core.padded(one.producer.channels) * FLOAT_BYTES
    strip = core.strip(one.output.width, one.stride, pitch)
    return ((strip - 1) * one.stride + 3) * pitch, -(-one.output.width // strip)


def _kind(one: Bottleneck) -> str:
    names = {Expand: "expand", Stem: "stem", Join: "join"}
    return names[type(one.producer)]
