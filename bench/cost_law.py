"""How an inference's time grows with its input."""

from collections.abc import Sequence

import numpy as np

from bench.run_file import Case


def cost_law(cases: Sequence[Case]) -> tuple[float, float]:
    """(ms at a megapixel, power) of the least-squares line through log medians; 1 is linear.

    `cases` are of two sizes or more.
    """
    pixels = np.log([float(np.prod(case.subject.input)) / 1e6 for case in cases])
    medians = np.log([case.stages.inference.p50_ms for case in cases])
    power, factor = np.polyfit(pixels, medians, 1)
    return float(np.exp(factor)), float(power)
