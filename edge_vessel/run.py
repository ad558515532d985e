"""`python -m edge_vessel.run`: segments a camera's stream, a video or photographs."""

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from edge_vessel import models, signing, sources
from edge_vessel.artifact import open_artifact
from edge_vessel.capture import CaptureConfig
from edge_vessel.errors import EdgeVesselError, UsageError
from edge_vessel.live_line import LiveLine
from edge_vessel.meters import find_meter
from edge_vessel.meters.window import PowerWindow
from edge_vessel.pipeline import Limits, Pipeline
from edge_vessel.segmenter import Segmenter
from edge_vessel.sinks.base import Sink
from edge_vessel.sinks.files import FileSink
from edge_vessel.sinks.jsonl import JsonlSink
from edge_vessel.sinks.mjpeg import MjpegSink, parse_address
from edge_vessel.sinks.window import WindowSink
from edge_vessel.sources.base import Source
from edge_vessel.sources.camera import Camera
from edge_vessel.sources.camera_list import list_cameras
from edge_vessel.summary import print_summary, summarise

SAVEABLE = ("mask", "overlay", "probability")
DEFAULT_OUTPUT = Path("vessels")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = argparse.ArgumentParser(
        prog="edge-vessel run",
        description="Segments the retinal vessels in a camera's stream, a video or photographs.",
        epilog="Exit codes: 0 done, 2 usage or unreadable input, 3 camera, disk or port, "
        "4 artifact.",
    )
    source = parse.add_mutually_exclusive_group()
    source.add_argument(
        "--camera",
        nargs="?",
        const="0",
        metavar="DEVICE",
        help="0, /dev/videoN or /dev/v4l/by-id/... (default 0)",
    )
    source.add_argument(
        "--input", metavar="URI", help="image, folder, glob, video, rtsp://, gst:, synthetic:"
    )
    source.add_argument("--list-cameras", action="store_true", help="show the cameras and stop")
    parse.add_argument("--camera-size", type=_size, metavar="WxH", help="default: the largest")
    parse.add_argument(
        "--camera-timeout",
        type=_non_negative,
        default=30.0,
        metavar="S",
        help="give a lost camera up after S seconds; 0: never (default 30)",
    )
    parse.add_argument("--model", type=Path, metavar="PATH", help="artifact (default: bundled)")
    parse.add_argument("--trusted-key", type=Path, action="append", default=[], metavar="FILE")
    parse.add_argument("--allow-unsigned", action="store_true", help="load what nobody signed")
    parse.add_argument("--threads", type=int, metavar="N", help="default: the artifact's own")
    parse.add_argument("--threshold", type=float, metavar="T", help="default: the artifact's own")
    parse.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"folder for pictures (default: ./{DEFAULT_OUTPUT} for files, none for cameras)",
    )
    parse.add_argument(
        "--save",
        type=_saveable,
        default=frozenset({"mask", "overlay"}),
        metavar="KINDS",
        help="of mask,overlay,probability (default mask,overlay)",
    )
    parse.add_argument("--jsonl", metavar="FILE", help="a JSON line for each frame; - for stdout")
    parse.add_argument("--show", action="store_true", help="open a window")
    parse.add_argument("--serve", metavar="HOST:PORT", help="MJPEG preview")
    parse.add_argument("--max-frames", type=_positive, metavar="N")
    parse.add_argument("--duration", type=_non_negative, metavar="S")
    parse.add_argument("--json", action="store_true", help="the summary as one JSON document")
    return parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs to the end and returns the exit code of the error tree."""
    options = parser().parse_args(arguments)
    out, err = Console(), Console(stderr=True)
    try:
        if options.list_cameras:
            _print_cameras(out, options.json)
            return 0
        return _run(options, out, err)
    except EdgeVesselError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def _run(options: argparse.Namespace, out: Console, err: Console) -> int:
    if options.json and options.jsonl == "-":
        raise UsageError("--json and --jsonl - both write to stdout: name a file for --jsonl")
    source = _source(options)
    artifact = open_artifact(
        options.model or models.default_path(),
        signing.trusted_keys(options.trusted_key),
        options.allow_unsigned,
    )

    def warn(text: str) -> None:
        err.print(text, markup=False, highlight=False, soft_wrap=True)

    if artifact.warning:
        warn(f"warning: {artifact.warning}")
    segmenter = Segmenter(artifact, options.threads, options.threshold)
    output = options.output
    if output is None and not source.live and not (options.jsonl or options.show or options.serve):
        output = DEFAULT_OUTPUT
    with contextlib.ExitStack() as stack, LiveLine(err) as live:
        sinks: list[Sink] = []
        for sink in _sinks(options, output):
            stack.callback(sink.close)
            sinks.append(sink)
            if isinstance(sink, MjpegSink):
                warn(f"preview: {sink.url}")
        pipeline = Pipeline(
            source,
            segmenter,
            sinks,
            Limits(options.max_frames, options.duration),
            CaptureConfig(give_up_s=options.camera_timeout),
            report=live.update,
            warn=warn,
            stop_when=lambda: any(isinstance(s, WindowSink) and s.closed for s in sinks),
        )
        power = PowerWindow(find_meter())
        power.begin()
        with _stopped_by_signals(pipeline):
            outcome = pipeline.run()
        folder = None if output is None else str(output)
        summary = summarise(source.uri, segmenter, outcome, power.end(), folder)
        for sink in sinks:
            if isinstance(sink, JsonlSink):
                sink.summary(summary)
    if options.json:
        json.dump(asdict(summary), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print_summary(summary, err if options.jsonl == "-" else out)
    if outcome.fault is not None:
        sys.stderr.write(f"error: {outcome.fault}\n")
    return outcome.exit_code


def _source(options: argparse.Namespace) -> Source:
    if options.camera is not None:
        return Camera(options.camera, size=options.camera_size)
    if options.input is not None:
        return sources.create(options.input)
    raise UsageError("no source: name a --camera or an --input (--list-cameras shows what is here)")


def _sinks(options: argparse.Namespace, output: Path | None) -> Iterator[Sink]:
    if output is not None:
        yield FileSink(output, options.save)
    if options.jsonl is not None:
        yield JsonlSink(options.jsonl)
    if options.serve is not None:
        yield MjpegSink(*parse_address(options.serve))
    if options.show:
        yield WindowSink("edge_vessel")


@contextlib.contextmanager
def _stopped_by_signals(pipeline: Pipeline) -> Iterator[None]:
    """SIGINT and SIGTERM end the run after the frame in hand; a second one ends it at once."""

    def stop(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        pipeline.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_cameras(out: Console, as_json: bool) -> None:
    cameras = list_cameras()
    if as_json:
        json.dump([asdict(camera) for camera in cameras], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    if not cameras:
        out.print("no cameras: no /dev/video* captures pictures here; is one plugged in?")
        return
    table = Table("device", "name", "driver", "by id", "formats")
    for camera in cameras:
        table.add_row(camera.path, camera.card, camera.driver, camera.by_id, str(camera.formats))
    out.print(table)


def _saveable(text: str) -> frozenset[str]:
    kinds = frozenset(filter(None, text.split(",")))
    if not kinds or not kinds <= set(SAVEABLE):
        raise argparse.ArgumentTypeError(f"{text!r}: takes a list of {', '.join(SAVEABLE)}")
    return kinds


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r}: WxH in pixels, for instance 1920x1080")
    return int(width), int(height)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1")
    return int(text)


def _non_negative(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: seconds, not negative")
    return value


if __name__ == "__main__":
    sys.exit(main())
