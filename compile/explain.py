"""`--explain`: which pass did what, and what every compiled step computes and keeps."""

import math

import numpy as np

from compile.estimate.emulated import Estimate
from compile.native import Native
from compile.rewrite import Saved
from compile.schedules.bottleneck import RING_ROWS, Bottleneck
from compile.schedules.core import Core
from compile.schedules.integer import IntegerBottleneck
from compile.schedules.producers import Expand, Join, Stem
from compile.tuning import Tuner


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


def explain_tuning(tuner: Tuner) -> str:
    """One line a function: what was fastest, and against the sizes that nobody measured."""
    if not tuner.chosen:
        return "tuning: no record for this network and place\n"
    lines = [f"FUNCTION       FASTEST     UNTUNED    BY ({tuner.meter.place})"]
    for name, (key, seconds, first) in tuner.chosen.items():
        before = f"{'-':>10}" if first is None else f"{1e3 * first:>7.3f} ms"
        lines.append(f"{name:<14} {1e3 * seconds:>7.3f} ms  {before}  {key}")
    total = sum(seconds for _, seconds, _ in tuner.chosen.values())
    lines.append(f"{'all':<14} {1e3 * total:>7.3f} ms")
    return "\n".join(lines) + "\n"


def explain_native(
    native: Native, times_ms: dict[str, float], estimates: dict[str, Estimate]
) -> str:
    """What every step or operator computes and takes.

    Args:
        times_ms: measured here, by name; empty where this machine cannot run the code.
        estimates: of one core of the target, by name, where nothing is measured.
    """
    if native.steps:
        return _explain_steps(native, times_ms, estimates)
    return _explain_operators(native, times_ms, estimates)


def _explain_operators(
    native: Native, times_ms: dict[str, float], estimates: dict[str, Estimate]
) -> str:
    """One line an operator, the slowest first."""
    spent = times_ms or {name: 1e3 * one.seconds for name, one in estimates.items()}
    lines = [f"RULE          {_cost_header(estimates)}  OPERATOR"]
    for name in sorted(native.operators, key=lambda one: -spent.get(one, 0.0)):
        cost = _cost([name], times_ms, estimates)
        lines.append(f"{native.operators[name]:<12}  {cost}  {name}")
    return "\n".join(lines) + "\n"


def _explain_steps(
    native: Native, times_ms: dict[str, float], estimates: dict[str, Estimate]
) -> str:
    """One line a step: its work, the map written, the ring in the cache, what it takes."""
    lines = [
        "STEP  KIND    HIDDEN MAP      STRIDE  MULTIPLY-ADDS     WRITES       RING  STRIPS  "
        + _cost_header(estimates)
    ]
    names = [f"bottleneck{number}" for number in range(len(native.steps))]
    for number, step in enumerate(native.steps):
        one = step.bottleneck
        size = f"{one.width}x{one.height}x{one.producer.channels}"
        out = one.output
        numbers = out.height * out.width if one.final else math.prod(out.shape(native.core))
        written = numbers * np.dtype(one.output_dtype(native.core)).itemsize
        ring, strips = _ring(one, native.core)
        lines.append(
            f"{number:>4}  {_kind(one):<6}  {size:<14} {one.stride:>7}  "
            f"{multiply_adds(one) / 1e6:>11.1f} M  {written / 1e6:>6.2f} MB  "
            f"{ring / 1024:>5.0f} KiB  {strips:>6}  " + _cost([names[number]], times_ms, estimates)
        )
    total = sum(multiply_adds(step.bottleneck) for step in native.steps)
    lines.append(
        f"all   {'':<30}  {total / 1e6:>11.1f} M{'':<30}" + _cost(names, times_ms, estimates)
    )
    return "\n".join(lines) + "\n"


def _cost_header(estimates: dict[str, Estimate]) -> str:
    return "CYCLES (estimated)     MEMORY      TIME" if estimates else "     TIME"


def _cost(names: list[str], times_ms: dict[str, float], estimates: dict[str, Estimate]) -> str:
    """The sum over functions: milliseconds, measured, or the columns of an estimate."""
    found = [estimates[name] for name in names if name in estimates]
    if found:
        cycles, seconds = (sum(getattr(one, key) for one in found) for key in ("cycles", "seconds"))
        moved = sum(one.bytes_read + one.bytes_written for one in found)
        return f"{cycles / 1e6:>16.1f} M  {moved / 1e6:>6.2f} MB  {1e3 * seconds:>5.1f} ms"
    measured = [times_ms[name] for name in names if name in times_ms]
    return f"{sum(measured):>6.2f} ms" if measured else f"{'-':>9}"


def multiply_adds(one: Bottleneck) -> int:
    """Of one bottleneck, its upsampling left out."""
    channels, out = one.producer.channels, one.output
    pixels, hidden = out.height * out.width, one.height * one.width
    inner = one.producer.weights.size
    shortcut = 0 if one.shortcut is None else one.shortcut.size
    return hidden * inner + pixels * (9 * channels + one.project.size + shortcut)


def _ring(one: Bottleneck, core: Core) -> tuple[int, int]:
    pitch = RING_ROWS * one.ring_pitch(core)
    strip = core.strip(one.output.width, one.stride, pitch)
    return ((strip - 1) * one.stride + 3) * pitch, -(-one.output.width // strip)


def _kind(one: Bottleneck) -> str:
    if isinstance(one, IntegerBottleneck):
        return "int8"
    names = {Expand: "expand", Stem: "stem", Join: "join"}
    return names[type(one.producer)]
