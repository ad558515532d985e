"""`python -m edge_vessel.run` with an artifact for volumes."""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edge_vessel import meters
from edge_vessel.artifact import Artifact
from edge_vessel.command_line import ResultConsole
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.json_text import strict_json
from edge_vessel.meters import Meter
from edge_vessel.octa.record import print_record, volume_record
from edge_vessel.octa.segmenter import OctaSegmentation, OctaSegmenter
from edge_vessel.octa.volume import Volume
from edge_vessel.progress import shown
from edge_vessel.run_options import DEFAULT_OUTPUT
from edge_vessel.segmenter import Segmentation
from edge_vessel.sinks.base import Result
from edge_vessel.sinks.files import FileSink
from edge_vessel.sinks.jsonl import JsonlSink
from edge_vessel.sources.base import Frame

_FAZ_RGB = (255, 200, 0)
_FOR_PHOTOGRAPHS = (
    "camera",
    "show",
    "serve",
    "metrics",
    "biomarkers",
    "jsonl_every",
    "max_frames",
    "duration",
)


def run_volume(
    options: argparse.Namespace, artifact: Artifact, meter: Meter, warn: Callable[[str], None]
) -> int:
    """Segments the one volume that `--input` names; returns 0.

    Raises:
        UsageError: a flag is for photographs, or the volume cannot be taken.
        ArtifactError: the engine cannot load the network.
        DeviceError: the engine or the disk failed, or memory ran out.
    """
    _check(options)
    if artifact.warning:
        warn(f"warning: {artifact.warning}")
    segmenter = OctaSegmenter(artifact, options.threads, options.threshold)
    volume = segmenter.open(options.input)
    output = _output(options)
    _check_places(options, volume)
    files = None if output is None else FileSink(output, options.save)
    with contextlib.ExitStack() as open_:
        lines = None if options.jsonl is None else JsonlSink(options.jsonl)
        if lines is not None:
            open_.enter_context(contextlib.closing(lines))
        power = meters.window("run", meter)
        captured_s = time.time()
        with power:
            found = _segment(segmenter, volume)
        if files is not None:
            files.write(_result(volume, found, captured_s))
        folder = None if output is None else str(output)
        record = volume_record(volume, segmenter, found, options.field_mm, power.energy, folder)
        if lines is not None:
            lines.record(record)
    if options.json:
        sys.stdout.write(strict_json(record) + "\n")
    else:
        print_record(record, Console(stderr=True) if options.jsonl == "-" else ResultConsole())
    return 0


def _check(options: argparse.Namespace) -> None:
    for name in _FOR_PHOTOGRAPHS:
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} is not for volumes: leave it out")
    if options.input is None:
        raise UsageError("no volume: name one with --input")
    if "landmarks" in options.save:
        raise UsageError("--save landmarks is not for volumes: take of mask,overlay,probability")


def _check_places(options: argparse.Namespace, volume: Volume) -> None:
    """Results among B-scans would be B-scans of the next run."""
    stacks = {Path(stack.where).resolve() for stack in volume.stacks}
    for flag in ("output", "jsonl"):
        value = getattr(options, flag)
        place = Path(value or "-").resolve()
        if place == Path(volume.uri).resolve() or stacks & {place, *place.parents}:
            raise UsageError(f"--{flag} {value}: holds the volume: name another place")


def _segment(segmenter: OctaSegmenter, volume: Volume) -> OctaSegmentation:
    try:
        return segmenter.segment(volume, lambda rows: shown(rows, "segmenting"))
    except MemoryError as error:
        size = "x".join(map(str, volume.shape))
        raise DeviceError(f"{volume.uri}: {size} voxels need more memory than is free") from error


def _output(options: argparse.Namespace) -> Path | None:
    """As for photographs: pictures unless only lines were asked for."""
    if options.output is not None:
        named: Path = options.output
        return named
    return None if options.jsonl else DEFAULT_OUTPUT


def _result(volume: Volume, found: OctaSegmentation, captured_s: float) -> Result:
    """As of a photograph: the en-face projection is what the map is drawn over."""
    times = found.preprocess_ms, found.inference_ms, found.postprocess_ms
    frame = Frame(0, volume.name, _picture(found), captured_s, 0.0, volume.uri)
    flat = Segmentation("ok", found.probabilities[0], found.mask, None, *times)
    return Result(frame, flat, 0, sum(times))


def _picture(found: OctaSegmentation) -> NDArray[np.uint8]:
    """The en-face projection as (H, W, 3) uint8 RGB, the FAZ's outline on it."""
    picture = np.asarray(cv2.cvtColor(found.en_face, cv2.COLOR_GRAY2RGB), np.uint8)
    if found.faz is not None:
        faz = found.faz.astype(np.uint8)
        outlines, _ = cv2.findContours(faz, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, _FAZ_RGB, 1)
    return picture
