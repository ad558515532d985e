"""Repeatability as a table."""

from bench.repeatability_file import RepeatabilityRun
from bench.section import Section


def section(run: RepeatabilityRun) -> Section:
    """The table of biomarkers, and what is missing in it."""
    people = len({capture.person for capture in run.captures})
    rows = []
    for line in run.agreement:
        numbers = (line.mean, line.within_sd, line.between_sd)
        icc = "" if line.icc is None else f"{line.icc:.2f}"
        rows.append((line.biomarker, *(f"{number:.4g}" for number in numbers), icc))
    missed = sum(capture.biomarkers is None for capture in run.captures)
    return Section(
        f"{len(run.captures)} captures of {people} people; {run.kind}",
        ("biomarker", "mean", "within a person", "between people", "ICC(1,1)"),
        tuple(rows),
        (f"no fundus found in {missed} photographs",) if missed else (),
    )
