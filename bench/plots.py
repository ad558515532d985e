"""Latencies as pictures."""

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.run_file import Case

mpl.use("Agg")

_SIZES = 3  # of inputs, from which on a law can be fitted


def latencies(cases: Sequence[tuple[Case, Sequence[float]]]) -> bytes:
    """PNG: how many runs took how long; with inputs of three sizes, latency against pixels too.

    Args:
        cases: each with the inference of its runs in milliseconds.
    """
    sized = len({case.subject.input for case, _ in cases}) >= _SIZES
    figure = Figure(figsize=(12 if sized else 8, 4.5), dpi=130, layout="constrained")
    panels = figure.subplots(1, 2 if sized else 1, squeeze=False)[0]
    _shares(panels[0], cases)
    if sized:
        _law(panels[1], [case for case, _ in cases])
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _shares(axes: Axes, cases: Sequence[tuple[Case, Sequence[float]]]) -> None:
    for case, samples in cases:
        share = np.arange(1, len(samples) + 1) / len(samples)
        axes.step(np.sort(samples), share, where="post", label=case.title, linewidth=1.3)
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
    power, factor = np.polyfit(np.log(pixels), np.log(medians), 1)
    at = np.geomspace(pixels.min(), pixels.max(), 50)
    axes.loglog(pixels, medians, "o")
    label = f"{np.exp(factor):.1f} ms * Mpx^{power:.2f}"
    axes.loglog(at, np.exp(factor) * at**power, color="0.5", label=label)
    axes.set(xlabel="input, megapixels", ylabel="median inference, milliseconds")
    axes.grid(color="0.9", which="both")
    axes.legend()
