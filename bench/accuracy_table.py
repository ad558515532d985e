"""Accuracy as a table."""

from dataclasses import astuple, fields

from bench import tables
from bench.accuracy_file import AccuracyRun, PixelScores
from bench.section import Section

_NAMES = tuple(one.name for one in fields(PixelScores))
_HEADER = (
    "stage", "data set", "region", "threshold", *_NAMES, "largest difference", "mean difference",
)  # fmt: skip


def section(run: AccuracyRun) -> Section:
    """A row a stage, data set and region."""
    rows = tuple(
        (
            line.stage,
            f"{line.dataset} ({line.photographs})",
            line.region,
            f"{line.threshold:.2f}",
            *(f"{value:.4f}" for value in astuple(line.scores)),
            *(
                "" if value is None else f"{value:.1e}"
                for value in (line.largest_difference, line.mean_difference)
            ),
        )
        for line in run.lines
    )
    remarks = dict.fromkeys(
        f"{line.stage}: no fundus found in {line.without_fundus} photographs of {line.dataset}"
        for line in run.lines
        if line.without_fundus
    )
    title = f"test photographs, pooled, each artifact's own threshold; {run.kind}"
    return Section(title, _HEADER, rows, tuple(remarks))


def show(run: AccuracyRun) -> None:
    """On stdout."""
    tables.show_section(section(run), right=len(_HEADER) - 3)
