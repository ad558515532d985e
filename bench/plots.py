"""Latencies and power as pictures."""

import io
from collections.abc import Sequence
from itertools import groupby

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.cost_law import cost_law
from bench.run_file import Case, EnergyRun
from bench.trace import Reading

mpl.use("Agg")

_SIZES = 3  # of inputs, from which on a law can be fitted


def picture(
    cases: Sequence[tuple[Case, Sequence[float]]],
    traces: Sequence[tuple[EnergyRun, Sequence[Reading]]] = (),
) -> bytes:
    """PNG: how many runs took how long; with inputs of three sizes, latency against pixels too.

    Args:
        cases: each with the inference of its runs in milliseconds.
        traces: runs of energy with the readings of their meter: a panel each, below.
    """
    sized = len({case.subject.input for case, _ in cases}) >= _SIZES
    rows = 1 + len(traces)
    figure = Figure(figsize=(12 if sized else 8, 4.5 * rows), dpi=130, layout="constrained")
    parts = figure.subfigures(rows, 1, squeeze=False)[:, 0]
    panels = parts[0].subplots(1, 2 if sized else 1, squeeze=False)[0]
    _shares(panels[0], cases)
    if sized:
        _law(panels[1], [case for case, _ in cases])
    for part, (run, readings) in zip(parts[1:], traces, strict=True):
        _power(part.subplots(), run, readings)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _power(axes: Axes, run: EnergyRun, readings: Sequence[Reading]) -> None:
    """The readings; idle windows grey, each case's in its colour with its mean, none in between."""
    titles = {case.energy.loaded.name: case for case in run.cases}
    for name, group in groupby(readings, lambda one: one.window):
        inside = list(group)
        case = titles.get(name)
        colour = "0.5" if case is None else f"C{list(titles).index(name)}"
        at_s = [one.at_s for one in inside]
        axes.plot(at_s, [one.power_w for one in inside], color=colour, linewidth=1)
        axes.axvspan(at_s[0], at_s[-1], color=colour, alpha=0.12, linewidth=0)
        if case is not None and case.energy.loaded_power_w is not None:
            mean_w = case.energy.loaded_power_w
            label = f"{_label(case.title)}: {mean_w} W"
            axes.hlines(mean_w.value, at_s[0], at_s[-1], colour, "dashed", label=label)
    axes.plot([], [], color="0.5", label="idle")
    axes.set(
        title=_label(f"{run.meter.name}, {run.meter.kind}"),
        xlabel="seconds",
        ylabel="power of what the meter covers, watts",
    )
    axes.set_ylim(0, 1.1 * max([1e-3, *(one.power_w for one in readings)]))
    axes.grid(color="0.9")
    axes.legend(fontsize="x-small", loc="lower right")


def _shares(axes: Axes, cases: Sequence[tuple[Case, Sequence[float]]]) -> None:
    for case, samples in cases:
        share = np.arange(1, len(samples) + 1) / len(samples)
        axes.step(np.sort(samples), share, where="post", label=_label(case.title), linewidth=1.3)
    axes.set(
        xlabel="inference, milliseconds", ylabel="share of runs that took no longer", ylim=(0, 1)
    )
    axes.set_xlim(left=0)
    axes.grid(color="0.9")
    axes.legend(fontsize="x-small", loc="lower right")


def _law(axes: Axes, cases: Sequence[Case]) -> None:
    """Log-log, with the power of the pixels that fits the medians best: 1 is linear growth."""
    pixels = np.array([float(np.prod(case.subject.input)) / 1e6 for case in cases])
    medians = np.array([case.stages.inference.p50_ms for case in cases])
    factor_ms, power = cost_law(cases)
    at = np.geomspace(pixels.min(), pixels.max(), 50)
    axes.loglog(pixels, medians, "o")
    label = f"{factor_ms:.1f} ms * Mpx^{power:.2f}"
    axes.loglog(at, factor_ms * at**power, color="0.5", label=label)
    axes.set(xlabel="input, megapixels", ylabel="median inference, milliseconds")
    axes.grid(color="0.9", which="both")
    axes.legend()


def _label(said: str) -> str:
    """Text, where matplotlib would read formulas between dollar signs."""
    return said.replace("$", r"\$")
