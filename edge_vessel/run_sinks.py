"""Where the results of `python -m edge_vessel.run` go."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_vessel import service_manager
from edge_vessel.errors import EdgeVesselError
from edge_vessel.run_artifact import Chosen
from edge_vessel.sinks.base import Sink
from edge_vessel.sinks.files import FileSink
from edge_vessel.sinks.jsonl import JsonlSink
from edge_vessel.sinks.metrics import MetricsSink
from edge_vessel.sinks.mjpeg import MjpegSink, parse_address
from edge_vessel.sinks.notify import NotifySink
from edge_vessel.sinks.window import WindowSink
from edge_vessel.summary import Summary


def open_sinks(
    options: argparse.Namespace, output: Path | None, chosen: Chosen, live: bool
) -> Iterator[Sink]:
    """Opens one after the other, in the order in which they take results.

    Photographs confirm no trial: the camera's way through the board belongs to it.
    """
    if output is not None:
        yield FileSink(output, options.save)
    if options.jsonl is not None:
        yield JsonlSink(options.jsonl, options.jsonl_every)
    if options.serve is not None:
        yield MjpegSink(*parse_address(options.serve))
    if options.show:
        yield WindowSink("edge_vessel")
    if options.metrics is not None:
        yield MetricsSink(options.metrics, chosen.labels)
    if chosen.trial is not None and live:
        yield chosen.trial
    manager = service_manager.of_this_process()
    if manager is not None:
        yield NotifySink(manager, str(chosen))


def close_sinks(sinks: Sequence[Sink], summary: Summary | None) -> EdgeVesselError | None:
    """Writes the summary's line and closes every sink, whatever the others do; the first fault."""
    first: EdgeVesselError | None = None
    for sink in sinks:
        try:
            if summary is not None and isinstance(sink, JsonlSink):
                sink.summary(summary)
        except EdgeVesselError as error:
            first = first or error
        try:
            sink.close()
        except EdgeVesselError as error:
            first = first or error
    return first
