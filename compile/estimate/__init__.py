"""What a function would cost on a board that nobody has: emulated, counted, weighed."""

from compile.estimate.meter import Estimate, EstimateMeter, explain

__all__ = ["Estimate", "EstimateMeter", "explain"]
