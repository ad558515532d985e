"""`python -m edge_vessel.run`: segments a camera's stream, a video or photographs."""

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from edge_vessel import meters, sources
from edge_vessel.artifact import Artifact
from edge_vessel.capture import CaptureConfig
from edge_vessel.command_line import ResultConsole, guarded, leave, printable, say_error
from edge_vessel.errors import EdgeVesselError, UsageError
from edge_vessel.json_text import strict_json
from edge_vessel.live_line import LiveLine
from edge_vessel.manifest import OctaManifest
from edge_vessel.meters import Meter
from edge_vessel.octa.run import run_volume
from edge_vessel.octa.volume import is_volume
from edge_vessel.pipeline import Limits, Pipeline
from edge_vessel.run_artifact import choose, open_named
from edge_vessel.run_options import DEFAULT_OUTPUT, parser
from edge_vessel.run_sinks import close_sinks, open_sinks
from edge_vessel.sinks.base import Sink
from edge_vessel.sinks.mjpeg import MjpegSink
from edge_vessel.sinks.window import WindowSink
from edge_vessel.sources.base import Source
from edge_vessel.sources.camera import Camera
from edge_vessel.sources.camera_list import list_cameras
from edge_vessel.sources.images import ImageFiles
from edge_vessel.sources.video import VideoFile
from edge_vessel.summary import print_summary, summarise

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs to the end and returns the exit code of the error tree."""
    options = parser().parse_args(arguments)
    if options.list_cameras:
        return guarded(lambda: _print_cameras(options.json))
    return guarded(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if options.json and options.jsonl == "-":
        raise UsageError("--json and --jsonl - both write to stdout: name a file for --jsonl")
    if options.biomarkers and options.jsonl is None:
        raise UsageError("--biomarkers go into the JSON lines: name a file with --jsonl")
    # Before the model, which takes seconds to load.
    with contextlib.closing(meters.find(options.meter)) as meter:
        named = open_named(options)
        if named is not None and isinstance(named.manifest, OctaManifest):
            return run_volume(options, named, meter, partial(_warn, Console(stderr=True)))
        return _run_photographs(options, named, meter)


def _run_photographs(options: argparse.Namespace, named: Artifact | None, meter: Meter) -> int:
    if options.field_mm is not None:
        raise UsageError("--field-mm is for volumes: name an OCTA artifact with --model")
    source = _source(options)
    output = _output(options, source)
    _check_files(options, source)
    err = Console(stderr=True)
    warn = partial(_warn, err)
    if isinstance(source, ImageFiles) and source.left_out:
        warn(f"left out as results of an earlier run: {len(source.left_out)}")
    chosen = choose(options, named, warn)
    power = meters.window("run", meter)
    sinks: list[Sink] = []
    try:
        for sink in open_sinks(options, output, chosen, source.live):
            sinks.append(sink)
            if isinstance(sink, MjpegSink):
                warn(f"preview: {sink.url}")
        with LiveLine(err, sys.stdout.isatty() and options.jsonl != "-") as live:
            pipeline = Pipeline(
                source,
                chosen.segmenter,
                sinks,
                Limits(options.max_frames, options.duration),
                CaptureConfig(give_up_s=options.camera_timeout),
                analyse_vessels=options.biomarkers or _draws_landmarks(options, output),
                report=live.update,
                warn=warn,
                stop_when=lambda: any(isinstance(s, WindowSink) and s.closed for s in sinks),
            )
            with _stopped_by_signals(pipeline), power:
                outcome = pipeline.run()
        if chosen.trial is not None:
            chosen.trial.ended(outcome)
        summary = summarise(source.uri, chosen.segmenter, outcome, power.energy, output)
    except EdgeVesselError:
        close_sinks(sinks, None)
        raise
    closing = close_sinks(sinks, summary)
    if options.json:
        sys.stdout.write(strict_json(summary) + "\n")
    else:
        print_summary(summary, err if options.jsonl == "-" else ResultConsole())
    fault = outcome.fault or closing
    if fault is not None:
        sys.stdout.flush()
        say_error(fault)
    return outcome.exit_code or (0 if closing is None else closing.exit_code)


def _warn(console: Console, text: str) -> None:
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def _source(options: argparse.Namespace) -> Source:
    if options.camera is not None:
        return Camera(options.camera, size=options.camera_size)
    if options.input is not None:
        if is_volume(options.input):
            raise UsageError(
                f"{options.input}: is a volume, and this model segments photographs: name an OCTA "
                "artifact with --model"
            )
        return sources.create(options.input)
    raise UsageError("no source: name a --camera or an --input (--list-cameras shows what is here)")


def _output(options: argparse.Namespace, source: Source) -> Path | None:
    """Files leave pictures unless something else was asked for; cameras only on demand.

    Raises:
        UsageError: results would lie among the photographs, and might replace one of them.
    """
    if options.output is not None:
        named: Path = options.output
        paths = source.paths if isinstance(source, ImageFiles) else []
        if named.resolve() in {path.resolve().parent for path in paths}:
            raise UsageError(f"{named}: holds the photographs: name another --output")
        return named
    elsewhere = options.jsonl or options.show or options.serve
    files = isinstance(source, ImageFiles | VideoFile)
    return DEFAULT_OUTPUT if files and not elsewhere else None


def _check_files(options: argparse.Namespace, source: Source) -> None:
    """Raises UsageError where lines or metrics would be written into a photograph or each other."""
    paths = source.paths if isinstance(source, ImageFiles) else []
    taken = {path.resolve() for path in [*paths, Path(options.input or "")]}
    for flag in ("jsonl", "metrics"):
        name = getattr(options, flag)
        if name is None or name == "-":
            continue
        file = Path(name).resolve()
        if file in taken:
            raise UsageError(f"--{flag} {name}: is read or written already: name another file")
        taken.add(file)


def _draws_landmarks(options: argparse.Namespace, output: Path | None) -> bool:
    return output is not None and "landmarks" in options.save


@contextlib.contextmanager
def _stopped_by_signals(pipeline: Pipeline) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the run after the frame in hand; a second one at once."""

    def stop(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        pipeline.stop()

    before = {number: signal.signal(number, stop) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_cameras(as_json: bool) -> int:
    cameras = list_cameras()
    if as_json:
        sys.stdout.write(json.dumps([asdict(camera) for camera in cameras]) + "\n")
        return 0
    if not cameras:
        sys.stdout.write("no cameras: no /dev/video* captures pictures here; is one plugged in?\n")
        return 0
    table = Table("device", "name", "driver", "by id", "formats")
    for camera in cameras:
        formats = ", ".join("{} {}x{}".format(one.fourcc, *one.largest()) for one in camera.formats)
        table.add_row(camera.path, camera.card, camera.driver, camera.by_id, formats)
    ResultConsole().print(table)
    return 0


if __name__ == "__main__":
    leave(main())
