"""Measured block sizes and schedules in place of computed ones (docs/decisions/0007)."""

from compile.tuning.meter import LocalMeter, Meter, RpcMeter
from compile.tuning.place import find_meter
from compile.tuning.records import Records
from compile.tuning.search import Tuner

__all__ = ["LocalMeter", "Meter", "Records", "RpcMeter", "Tuner", "find_meter"]
