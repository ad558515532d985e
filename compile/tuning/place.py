"""Where tuning measures: on a board, on this machine, or nowhere, by an estimate."""

from pathlib import Path

from compile.estimate.meter import EstimateMeter
from compile.targets import CompileTarget
from compile.tuning.meter import LocalMeter, Meter, RpcMeter
from edge_vessel.errors import ArtifactError, UsageError
from edge_vessel.target import check_target, this_machine


def find_meter(target: CompileTarget, threads: int, rpc: str | None, measures: bool) -> Meter:
    """The board of `rpc`; without one this machine, where it runs the code; else an estimate.

    Args:
        rpc: host:port/key of a board behind a tracker.
        measures: False takes what records hold and asks no board.

    Raises:
        UsageError: no board was named, and there is no estimate of such a core.
        DeviceError: the board does not answer.
    """
    if rpc:
        return RpcMeter(rpc, target, threads, connect=measures)
    try:
        check_target(target.manifest(threads), this_machine(), Path(target.name))
    except ArtifactError:
        try:
            return EstimateMeter(target, threads)
        except UsageError as error:
            raise UsageError(f"{error}; or name a board with --rpc HOST:PORT/KEY") from error
    return LocalMeter(target, threads)
