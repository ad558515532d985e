"""What a function would cost on a board that nobody has: emulated, counted, weighed."""

from compile.estimate.emulated import Estimate
from compile.estimate.meter import EstimateMeter, explain

__all__ = ["Estimate", "EstimateMeter", "explain"]
