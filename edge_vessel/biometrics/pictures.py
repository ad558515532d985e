"""Score histograms, DET curves, unlinkability; a board does not depend on matplotlib."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge_vessel.biometrics.error_rates import det_curve
from edge_vessel.biometrics.evaluation import Evaluation, Scores
from edge_vessel.biometrics.unlinkability import Unlinkability, local_measure
from edge_vessel.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def require_matplotlib() -> None:
    """Raises UsageError where it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "--png needs matplotlib: pip install 'edge-vessel[bench]', or leave --png out"
        ) from error


def picture(
    evaluations: Sequence[Evaluation], linked: Sequence[Sequence[Unlinkability]] = ()
) -> bytes:
    """PNG: of each evaluation a row: the histogram of each method, then the DET curves; then of
    each of `linked` a row: the scores of each attack, and how far they tell who is mated."""
    from matplotlib.figure import Figure

    columns = max(1 + max(len(one.methods) for one in evaluations), *map(len, linked), 0)
    count = len(evaluations) + len(linked)
    figure = Figure((4.4 * columns, 3.4 * count), dpi=80, layout="constrained")
    rows = figure.subplots(count, columns, squeeze=False)
    for axes, one in zip(rows, evaluations, strict=False):
        for panel, method in zip(axes, one.methods, strict=False):
            _histogram(panel, one, method)
        for method in one.methods:
            _det(axes[len(one.methods)], method)
        for panel in axes[len(one.methods) + 1 :]:
            panel.set_axis_off()
    for axes, kind, attacks in zip(rows[len(evaluations) :], evaluations, linked, strict=False):
        for panel, attack in zip(axes, attacks, strict=False):
            _unlinkability(panel, kind.kind, attack)
        for panel in axes[len(attacks) :]:
            panel.set_axis_off()
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _histogram(axes: "Axes", one: Evaluation, method: Scores) -> None:
    bins = np.linspace(min(method.non_mated), max(method.mated), 60).tolist()
    for scores, name, colour in (
        (method.non_mated, "non-mated", "C3"),
        (method.mated, "mated", "C0"),
    ):
        weights = np.full(len(scores), 1 / len(scores))
        label = f"{name}, {len(scores)}"
        axes.hist(scores, bins, weights=weights, color=colour, alpha=0.6, label=label)
    axes.axvline(method.rates.threshold, color="0.2", linestyle="dashed", label="threshold")
    axes.set(xlabel=method.method, ylabel="share of comparisons", title=one.kind)
    axes.legend(fontsize="x-small")


def _unlinkability(axes: "Axes", kind: str, attack: Unlinkability) -> None:
    mated, non_mated = np.array(attack.mated), np.array(attack.non_mated)
    edges, local = local_measure(mated, non_mated)
    for scores, name, colour in ((non_mated, "non-mated", "C3"), (mated, "mated", "C0")):
        density = np.histogram(scores, edges, density=True)[0]
        axes.stairs(density, edges, color=colour, alpha=0.6, fill=True, label=name)
    axes.set(
        xlabel=f"score of {attack.attack}",
        ylabel="density under two keys",
        title=f"{kind}: D_sys {attack.d_sys:.3f}",
    )
    measure = axes.twinx()
    measure.stairs(local, edges, color="0.2", label="D(s)")
    measure.set(ylim=(0, 1.05), ylabel="D(s)")
    axes.legend(fontsize="x-small", loc="upper right")


def _det(axes: "Axes", method: Scores) -> None:
    """An error rate below one error in the trials cannot be shown: the axes end there."""
    _, fmr, fnmr = det_curve(method.mated, method.non_mated)
    least = 1 / len(method.non_mated), 1 / len(method.mated)
    x, y = np.maximum(fmr, least[0] / 2), np.maximum(fnmr, least[1] / 2)
    axes.loglog(x, y, label=method.method, linewidth=1.3)
    axes.axvline(least[0], color="0.8", linewidth=0.8)
    axes.axhline(least[1], color="0.8", linewidth=0.8)
    axes.set(xlabel="FMR", ylabel="FNMR", title="DET; grey: one error")
    axes.legend(fontsize="x-small")
