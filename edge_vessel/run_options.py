"""The command line of `python -m edge_vessel.run`."""

import argparse
from pathlib import Path

from edge_vessel.command_line import (
    Parser,
    add_meter_flag,
    add_model_flags,
    path,
    seconds,
    whole_number,
)
from edge_vessel.sinks.files import KINDS
from edge_vessel.slots.layout import DEFAULT_ROOT, VARIABLE, default_root
from edge_vessel.slots.trial import CONFIRM_AFTER

DEFAULT_OUTPUT = Path("vessels")
_MAX_FRAMES = 10**12
_MAX_SIDE_PX = 65_535
_MAX_FIELD_MM = 100.0


def parser() -> argparse.ArgumentParser:
    """Flags, their types and defaults."""
    parse = Parser(
        prog="edge-vessel run",
        description="Segments the retinal vessels in a camera's stream, a video or photographs.",
        epilog="Exit codes: 0 done, 2 usage or unreadable input, 3 camera, disk, port or meter, "
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
        "--input",
        metavar="URI",
        help="image, folder, glob, video, rtsp://, gst:, synthetic:; a volume for an OCTA model",
    )
    source.add_argument("--list-cameras", action="store_true", help="show the cameras and stop")
    parse.add_argument("--camera-size", type=_size, metavar="WxH", help="default: the largest")
    parse.add_argument(
        "--camera-timeout",
        type=seconds,
        default=30.0,
        metavar="S",
        help="give a lost camera up after S seconds; 0: never (default 30)",
    )
    add_model_flags(parse)
    parse.add_argument(
        "--slots",
        type=path,
        nargs="?",
        const=default_root(),
        metavar="DIR",
        help="run the active slot's artifact instead, counting the starts of a trial "
        f"(default: ${VARIABLE}, else {DEFAULT_ROOT})",
    )
    parse.add_argument(
        "--confirm-after",
        type=whole_number(1, _MAX_FRAMES),
        default=CONFIRM_AFTER,
        metavar="N",
        help="end the trial of a slot after N frames of a live source went through the network "
        f"(default {CONFIRM_AFTER})",
    )
    parse.add_argument(
        "--threshold",
        type=_threshold,
        metavar="T",
        help="probability from which a pixel is vessel (default: the artifact's own)",
    )
    parse.add_argument(
        "--field-mm",
        type=_field,
        metavar="HxW",
        help="what a volume shows, in mm: for the area of the foveal avascular zone",
    )
    parse.add_argument(
        "--output",
        type=path,
        metavar="DIR",
        help=f"folder for pictures (default: ./{DEFAULT_OUTPUT} for files, none for cameras)",
    )
    parse.add_argument(
        "--save",
        type=_kinds,
        default=frozenset({"mask", "overlay"}),
        metavar="KINDS",
        help="of mask,overlay,probability,landmarks (default mask,overlay)",
    )
    parse.add_argument("--jsonl", metavar="FILE", help="a JSON line for each frame; - for stdout")
    parse.add_argument(
        "--jsonl-every",
        type=seconds,
        default=0.0,
        metavar="S",
        help="for a log: at most one frame in S seconds, each with a line of temperature, "
        "frequency and throttling",
    )
    parse.add_argument(
        "--metrics", type=path, metavar="FILE", help="Prometheus metrics, rewritten every 15 s"
    )
    parse.add_argument(
        "--biomarkers",
        action="store_true",
        help="density, calibre, tortuosity and more of the vessels in each JSON line",
    )
    parse.add_argument("--show", action="store_true", help="open a window")
    parse.add_argument("--serve", metavar="HOST:PORT", help="MJPEG preview")
    parse.add_argument("--max-frames", type=whole_number(1, _MAX_FRAMES), metavar="N")
    parse.add_argument("--duration", type=seconds, metavar="S")
    add_meter_flag(parse)
    parse.add_argument("--json", action="store_true", help="the summary as one JSON document")
    return parse


def _kinds(text: str) -> frozenset[str]:
    kinds = frozenset(filter(None, text.split(",")))
    if not kinds or not kinds <= KINDS:
        raise argparse.ArgumentTypeError(f"{text!r}: takes a list of {', '.join(sorted(KINDS))}")
    return kinds


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    side = whole_number(1, _MAX_SIDE_PX)
    try:
        return side(width), side(height)
    except argparse.ArgumentTypeError as error:
        message = f"{text!r}: WxH in pixels, for instance 1920x1080"
        raise argparse.ArgumentTypeError(message) from error


def _field(text: str) -> tuple[float, float]:
    parts = text.lower().split("x")
    try:
        height, width = float(parts[0]), float(parts[-1])
    except ValueError:
        height = width = 0.0
    if len(parts) > 2 or not (0 < height <= _MAX_FIELD_MM and 0 < width <= _MAX_FIELD_MM):
        raise argparse.ArgumentTypeError(f"{text!r}: HxW in mm, such as 3x3 or 6")
    return height, width


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}: a probability between 0 and 1")
    return value
