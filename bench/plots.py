"""Latencies and power as pictures."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.accuracy_file import FIELD_OF_VIEW, AccuracyRun
from bench.cost_law import cost_law
from bench.run_file import Case
from bench.trace import PowerTrace

mpl.use("Agg")

_LEGEND_LINE_IN = 0.19  # inches that a case takes in the legend
_SIZES = 3  # of inputs, from which on a law can be fitted


@dataclass(frozen=True)
class Timing:
    """A case, the inference of its runs in milliseconds, and the machine that took them."""

    case: Case
    inference_ms: Sequence[float]
    machine: str


def picture(
    timings: Sequence[Timing],
    traces: Sequence[PowerTrace] = (),
    accuracies: Sequence[AccuracyRun] = (),
) -> bytes:
    """PNG: how many runs took how long; with inputs of three sizes, latency against pixels too;
    with the accuracy of the same artifacts, that against latency.

    Args:
        traces: a panel each, below. One of these or of the timings, at least.
        accuracies: those of other artifacts are not drawn.
    """
    points = _points([one.case for one in timings], accuracies)
    laws = sized(timings)
    rows = bool(timings) + len(traces)
    columns = 1 + bool(laws) + bool(points)
    legend = _LEGEND_LINE_IN * len(timings)
    size = (2 + 6 * columns, 4.5 * rows + legend)
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    heights = [4.5 + legend] * bool(timings) + [4.5] * len(traces)
    parts = list(figure.subfigures(rows, 1, squeeze=False, height_ratios=heights)[:, 0])
    if timings:
        panels = parts.pop(0).subplots(1, columns, squeeze=False)[0]
        _shares(panels[0], timings)
        if laws:
            draw_laws(panels[1], laws)
        if points:
            _trade(panels[-1], points)
    for part, trace in zip(parts, traces, strict=True):
        _power(part.subplots(), trace)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _power(axes: Axes, trace: PowerTrace) -> None:
    """The readings; idle windows grey, each other in its colour with its mean, none in between."""
    for name, group in groupby(trace.readings, lambda one: one.window):
        inside = list(group)
        colour = f"C{list(trace.loaded).index(name)}" if name in trace.loaded else "0.5"
        at_s = [one.at_s for one in inside]
        axes.plot(at_s, [one.power_w for one in inside], color=colour, linewidth=1)
        axes.axvspan(at_s[0], at_s[-1], color=colour, alpha=0.12, linewidth=0)
        title, mean_w = trace.loaded.get(name, ("", None))
        if mean_w is not None:
            label = f"{_label(title)}: {mean_w} W"
            axes.hlines(mean_w.value, at_s[0], at_s[-1], colour, "dashed", label=label)
    axes.plot([], [], color="0.5", label="idle")
    axes.set(
        title=_label(trace.title),
        xlabel="seconds",
        ylabel="power of what the meter covers, watts",
    )
    axes.set_ylim(0, 1.1 * max([1e-3, *(one.power_w for one in trace.readings)]))
    axes.grid(color="0.9")
    axes.legend(fontsize="x-small", loc="lower right")


def _shares(axes: Axes, timings: Sequence[Timing]) -> None:
    several = len({one.machine for one in timings}) > 1
    axes.set_prop_cycle(color=mpl.colormaps["tab10" if len(timings) <= 10 else "tab20"].colors)
    for one in timings:
        share = np.arange(1, len(one.inference_ms) + 1) / len(one.inference_ms)
        label = _label(f"{one.case.title}, {one.machine}" if several else one.case.title)
        axes.step(np.sort(one.inference_ms), share, where="post", label=label, linewidth=1.3)
    axes.set(
        xlabel="inference, milliseconds", ylabel="share of runs that took no longer", ylim=(0, 1)
    )
    axes.set_xlim(left=0)
    axes.grid(color="0.9")
    axes.figure.legend(fontsize="x-small", loc="outside lower left")  # of this panel's lines alone


def sized(timings: Sequence[Timing]) -> dict[str, list[Case]]:
    """Cases of one machine, network, engine, precision and number of threads, by a title that tells
    them apart, where their inputs are of enough sizes for a law."""
    found: dict[tuple[str, str, str], list[Case]] = {}
    for one in timings:
        subject, threads = one.case.subject, one.case.threads
        density = subject.multiply_adds / float(np.prod(subject.input)) / 1e3
        way = f"{subject.engine} {subject.precision}, {threads} thread{'s' if threads > 1 else ''}"
        key = (way, one.machine, f"{density:.1f} G multiply-adds a Mpx")  # whatever its name
        found.setdefault(key, []).append(one.case)
    telling = [len(set(parts)) > 1 for parts in zip(*found, strict=True)]
    return {
        ", ".join(
            part for part, tells in zip(key, (True, *telling[1:]), strict=True) if tells
        ): group
        for key, group in found.items()
        if len({case.subject.input for case in group}) >= _SIZES
    }


def draw_laws(axes: Axes, laws: Mapping[str, Sequence[Case]]) -> None:
    """Log-log, with the power of the pixels that fits the medians best: 1 is linear growth."""
    for number, (title, cases) in enumerate(laws.items()):
        pixels = np.array([float(np.prod(case.subject.input)) / 1e6 for case in cases])
        medians = np.array([case.stages.inference.p50_ms for case in cases])
        factor_ms, power = cost_law(cases)
        at = np.geomspace(pixels.min(), pixels.max(), 50)
        axes.loglog(pixels, medians, "o", color=f"C{number}")
        label = _label(f"{title}: {factor_ms:.1f} ms * Mpx^{power:.2f}")
        axes.loglog(at, factor_ms * at**power, color=f"C{number}", label=label)
    axes.set(xlabel="input, megapixels", ylabel="median inference, milliseconds")
    axes.grid(color="0.9", which="both")
    axes.legend(fontsize="x-small")


def _points(
    cases: Sequence[Case], accuracies: Sequence[AccuracyRun]
) -> list[tuple[str, str, float, float]]:
    """(data set, artifact, median ms on the fewest threads, Dice in the field of view)."""
    hashes = {one.name: one.manifest_sha256 for run in accuracies for one in run.subjects}
    fastest: dict[str, Case] = {}
    for case in sorted(cases, key=lambda one: one.threads):
        if hashes.get(case.subject.name) == case.subject.manifest_sha256:
            fastest.setdefault(case.subject.name, case)
    return [
        (
            line.dataset,
            line.artifact,
            fastest[line.artifact].stages.inference.p50_ms,
            line.scores.dice,
        )
        for run in accuracies
        for line in run.lines
        if line.artifact in fastest and line.region == FIELD_OF_VIEW
    ]


def _trade(axes: Axes, points: Sequence[tuple[str, str, float, float]]) -> None:
    """Accuracy against latency, after figure 4 of Laibacher et al. 2019: a line a data set."""
    for dataset in dict.fromkeys(point[0] for point in points):
        chosen = sorted(point[2:] for point in points if point[0] == dataset)
        axes.plot(*zip(*chosen, strict=True), "o-", label=_label(dataset), linewidth=1)
    lowest = min(point[3] for point in points)
    for name in dict.fromkeys(point[1] for point in points):
        at_ms = next(point[2] for point in points if point[1] == name)
        axes.annotate(_label(name), (at_ms, lowest), fontsize="x-small", rotation=90, va="bottom")
        axes.axvline(at_ms, color="0.9", zorder=0)
    axes.set(xlabel="median inference, milliseconds", ylabel="Dice, field of view, pooled")
    axes.grid(color="0.9")
    axes.legend(fontsize="x-small")


def _label(said: str) -> str:
    """Text, where matplotlib would read formulas between dollar signs."""
    return said.replace("$", r"\$")
