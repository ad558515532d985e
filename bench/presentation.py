"""`python -m bench presentation FOLDER`: which simulated streams the kiosk's check refuses.

The folder holds fundus photographs. Each is played as every stream of `bench/eye_streams.py`:
simulated eyes, which have to pass, and simulated attacks. The processor time that a frame costs the
check is measured at 960 px. These are no rates on people: there is no footage of living eyes.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from bench import conditions, document, flags, run_file, tables
from bench.eye_streams import ATTACKS, EYES, shots
from bench.presentation_file import SCHEMA_VERSION, PresentationRun, Stream
from bench.presentation_table import section
from bench.samples import Latency
from edge_vessel.atomic import write_file
from edge_vessel.biometrics.captures import Picture
from edge_vessel.board import read_board
from edge_vessel.command_line import Parser, path, whole_number
from edge_vessel.engines.cores import available
from edge_vessel.errors import UsageError
from edge_vessel.field_of_view import FieldOfView, find_field_of_view
from edge_vessel.kiosk.presentation import Presentation
from edge_vessel.kiosk.stream_check import StreamCheck
from edge_vessel.progress import shown
from edge_vessel.sources.images import ImageFiles, read_image

_COST_SIDE_PX = 960


def presentation(arguments: list[str]) -> int:
    """Plays, counts, prints, writes.

    Raises:
        UsageError: an option, or a photograph without a fundus.
        DeviceError: the machine is busy, or the disk failed.
    """
    options = _parser().parse_args(arguments)
    files = ImageFiles(str(options.folder)).paths
    pictures = [Picture(one.name, one.name, read_image(one)) for one in files]
    board = read_board()
    before = conditions.begin(options.force, 0.0, board, available())
    frame_ms = Latency.of(_costs_ms(pictures[0]))
    streams = tuple(_counted(name, pictures, options) for name in shown([*EYES, *ATTACKS]))
    after = read_board()
    run = conditions.end(before, after)
    conditions.warn(run)
    found = PresentationRun(
        schema_version=SCHEMA_VERSION,
        command="presentation",
        kind=conditions.kind_of(after),
        created=run_file.now(),
        conditions=run,
        photographs=len(pictures),
        seeds=options.seeds,
        duration_s=options.duration,
        streams=streams,
        frame_side_px=_COST_SIDE_PX,
        frame=frame_ms,
    )
    text = document.text(found)
    if options.output is not None:
        write_file(options.output, text.encode())
    if options.json:
        sys.stdout.write(text)
    else:
        tables.show_section(section(found), right=3)
    return 0


def _counted(name: str, pictures: Sequence[Picture], options: argparse.Namespace) -> Stream:
    verdicts = [
        judged(name, picture, seed, options.duration)
        for picture in pictures
        for seed in range(options.seeds)
    ]
    suspicions = [one.suspicion for one in verdicts]
    refused = sum(one not in (None, "no_pulse") for one in suspicions)
    return Stream(
        name,
        name in ATTACKS,
        len(verdicts),
        refused,
        len(verdicts) - suspicions.count(None),
        sum(one.suspicion is None and not one.enough for one in verdicts),
        tuple(sorted({one for one in suspicions if one is not None})),
    )


def judged(name: str, picture: Picture, seed: int, duration_s: float) -> Presentation:
    """The verdict on one capture, with a pulse required.

    Raises:
        UsageError: the photograph shows no fundus.
    """
    check = StreamCheck(require_pulse=True)
    for shot in shots(name, picture.image, _field(picture), seed, duration_s):
        check.add(shot.image, shot.time_s, find_field_of_view(shot.image))
    return check.verdict()


def _field(picture: Picture) -> FieldOfView:
    fov = find_field_of_view(picture.image)
    if fov is None:
        raise UsageError(f"{picture.name}: no fundus found in it; take it out of the folder")
    return fov


def _costs_ms(picture: Picture) -> list[float]:
    """Of frame after frame, its field of view found and the frame added."""
    check, taken_ms = StreamCheck(), []
    for shot in shots("an eye", picture.image, _field(picture), 0, 2.0, _COST_SIDE_PX):
        started = time.process_time()
        check.add(shot.image, shot.time_s, find_field_of_view(shot.image))
        taken_ms.append(1e3 * (time.process_time() - started))
    return taken_ms


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench presentation", description=__doc__)
    parse.add_argument("folder", type=path, help="fundus photographs: a folder or a glob")
    parse.add_argument("--seeds", type=whole_number(1, 10**6), default=3, metavar="N")
    parse.add_argument(
        "--duration",
        type=flags.number(1.0, 60.0, "seconds"),
        default=5.0,
        metavar="S",
        help="of a capture (default 5)",
    )
    parse.add_argument("--force", action="store_true", help="on a busy machine too")
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    parse.add_argument("--json", action="store_true", help="print the document as JSON")
    return parse
