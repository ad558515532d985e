"""The steps of a network in a precision."""

from dataclasses import replace

import onnx

from compile.plan import NotCoveredError, Step, plan
from compile.schedules import integer
from compile.schedules.integer import IntegerBottleneck
from edge_vessel.preprocessing import OFFSET, SCALE


def steps(content: bytes, precision: str) -> list[Step]:
    """Of a rewritten network in ONNX that takes the camera's bytes.

    Args:
        precision: "fp32" and "fp16" plan alike, the core's dtype makes the difference; "int8"
            computes by integers what would be faster so.

    Raises:
        NotCoveredError: a node that no schedule covers, or no block for integers.
    """
    found = plan(onnx.load_from_string(content), SCALE, OFFSET, bytes_in=True)
    if precision != "int8":
        return found
    if not any(integer.covers(step.bottleneck) for step in found):
        raise NotCoveredError("no bottleneck that integers would speed up")
    return [
        replace(step, bottleneck=IntegerBottleneck.of(step.bottleneck))
        if integer.covers(step.bottleneck)
        else step
        for step in found
    ]
