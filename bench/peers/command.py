"""The rounds: every engine in a process of its own, asked in turn, in random order."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bench.peers
from bench import conditions, document, flags, run_file
from bench.cores import choose_cores
from bench.input_image import InputImage
from bench.peers import networks, table
from bench.peers.document import SCHEMA_VERSION, EngineRow, LeftOut, PeersRun, write
from bench.peers.engines import PEERS, Form
from bench.peers.networks import Networks
from bench.peers.worker import PeerWorker, Task
from bench.samples import LEAST_RUNS, Latency, Ratio, paired
from bench.subject import Subject
from edge_vessel import models, signing
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.board import read_board
from edge_vessel.command_line import Parser, add_trust_flags, path, printable, whole_number
from edge_vessel.engines.cores import available
from edge_vessel.errors import EdgeVesselError, UsageError
from edge_vessel.json_reader import MAX_TEXT
from edge_vessel.progress import shown
from edge_vessel.selftest import COARSE_TOLERANCE, TOLERANCE

_TURN_MS = 100.0  # of inferences timed together, so that the clock's own cost is none
_MOST_REPETITIONS = 50
_PAUSE_S = 0.02  # lets the spinning threads of the engine before it go to sleep


@dataclass
class _Entry:
    """An engine that takes part."""

    task: Task
    name: str
    precision: str
    version: str = ""
    map: NDArray[np.float32] | None = None
    load_ms: float = 0.0
    peak_rss_mb: float = 0.0


def peers(arguments: list[str]) -> int:
    """Measures, prints, writes.

    Raises:
        UsageError: an option, a file, or no peer can be measured.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
        DeviceError: the machine is busy, an artifact's engine or the disk failed.
    """
    options = _parser().parse_args(arguments)
    given = Networks(options.checkpoint, options.onnx, options.ncnn, options.tflite)
    networks.check(given)
    board = read_board()
    cores = tuple(choose_cores(options.cores, board, available()))
    artifacts = list(_artifacts(options, cores))
    before = conditions.begin(options.force, 0.0, board, cores)
    ours = artifacts[0]
    image = InputImage.of(ours, options.image)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "pixels.npy", image.pixels)
        height, width = image.pixels.shape[:2]
        wanted = {PEERS[name].form for name in options.engines}
        whole, faults = networks.complete(given, wanted, (height, width), folder)
        entries = [_own(options, one, cores, folder) for one in artifacts]
        rivals, left_out = _rivals(options, given, whole, faults, cores, folder)
        times_ms, repetitions, failed = _measure(options, entries, rivals)
    after, starts = read_board(), min(options.starts, options.rounds)
    run = PeersRun(
        SCHEMA_VERSION,
        "peers",
        conditions.kind_of(after),
        run_file.now(),
        conditions.end(before, after),
        Subject.of(ours, entries[0].version),
        image.name,
        image.size,
        options.threads,
        cores,
        options.rounds,
        starts,
        repetitions,
        tuple(_rows(entries + rivals, times_ms, starts)),
        (*left_out, *failed),
        samples=None,
    )
    conditions.warn(run.conditions)
    if options.output is not None:
        write(options.output, run, times_ms)
    if options.json:
        sys.stdout.write(document.text(run))
    else:
        table.show(run)
    return 0


def _artifacts(options: argparse.Namespace, cores: Sequence[int]) -> Iterator[Artifact]:
    if not 1 <= options.threads <= len(cores):
        raise UsageError(f"--threads {options.threads}: from 1 to {len(cores)}, the cores in use")
    trusted = signing.trusted_keys(options.trusted_key)
    names = set()
    size = None
    for folder in map(models.resolve, options.artifact or [None]):
        artifact = open_artifact(folder, trusted, options.allow_unsigned)
        artifact.check_target()
        manifest = artifact.fundus
        size = size or (manifest.input.height, manifest.input.width)
        if (manifest.input.height, manifest.input.width) != size:
            raise UsageError(f"{folder}: takes another size than {size}: not the same network")
        if manifest.name in names:
            raise UsageError(f"{folder}: {manifest.name} stands twice: give each artifact once")
        names.add(manifest.name)
        yield artifact


def _own(
    options: argparse.Namespace, artifact: Artifact, cores: tuple[int, ...], folder: Path
) -> _Entry:
    manifest = artifact.manifest
    task = Task(
        None,
        str(artifact.folder),
        tuple(map(str, options.trusted_key)),
        options.allow_unsigned,
        options.threads,
        cores,
        str(folder / "pixels.npy"),
        str(folder / f"{manifest.name}.map.npy"),
    )
    return _Entry(task, f"edge_vessel {manifest.name}", manifest.model.precision)


def _rivals(
    options: argparse.Namespace,
    given: Networks,
    whole: Networks,
    faults: Mapping[Form, UsageError],
    cores: tuple[int, ...],
    folder: Path,
) -> tuple[list[_Entry], list[LeftOut]]:
    """Those that can be tried, and why the others cannot."""
    found, left_out = [], []
    for name in options.engines:
        peer = PEERS[name]
        try:
            metadata.version(peer.package)
            if peer.form in faults:
                raise faults[peer.form]
            network = str(whole.of(peer.form).resolve())
        except metadata.PackageNotFoundError:
            left_out.append(LeftOut(name, f"not installed: pip install {peer.package}"))
            continue
        except UsageError as error:
            left_out.append(_left_out(name, error))
            continue
        pixels, output = folder / "pixels.npy", folder / f"{name}.npy"
        task = Task(name, network, (), False, options.threads, cores, str(pixels), str(output))
        found.append(_Entry(task, name, "fp32" if given.float32(peer.form) else "as given"))
    return found, left_out


def _left_out(name: str, error: EdgeVesselError) -> LeftOut:
    return LeftOut(name, printable(str(error))[:MAX_TEXT])


def _measure(
    options: argparse.Namespace, entries: list[_Entry], rivals: list[_Entry]
) -> tuple[list[list[float]], int, list[LeftOut]]:
    """Milliseconds of each round by engine, artifacts first; takes out of `rivals` what fails.

    All processes are started anew `starts` times: how one lies in memory is luck of its own.
    """
    random = np.random.default_rng(0)
    times_ms: dict[str, list[float]] = {}
    failed: list[LeftOut] = []
    repetitions = 0
    rounds = [len(part) for part in np.array_split(range(options.rounds), options.starts)]
    for turn in shown([n for n in rounds if n]):
        with ExitStack() as stack:
            workers = {}
            for one in [*entries, *rivals]:
                try:
                    worker = PeerWorker(one.task, one.name)
                    stack.callback(worker.stop)
                    _same(one, worker, entries[0])
                except EdgeVesselError as error:
                    if one in entries or times_ms:
                        raise
                    failed.append(_left_out(one.name, error))
                    rivals.remove(one)
                    continue
                workers[one.name] = worker
                one.load_ms = one.load_ms or worker.load_ms
                one.version = worker.version
            if not rivals:
                why = "; ".join(f"{one.engine}: {one.reason}" for one in failed)
                raise UsageError(f"no other engine can be measured: {why or 'see --engines'}")
            if not repetitions:
                once_ms = workers[entries[0].name].run(1)
                repetitions = int(np.clip(_TURN_MS / once_ms, 1, _MOST_REPETITIONS))
            for _ in range(turn):
                for name in random.permutation(list(workers)):
                    times_ms.setdefault(name, []).append(workers[name].run(repetitions))
                    time.sleep(_PAUSE_S)
            for one in [*entries, *rivals]:
                one.peak_rss_mb = max(one.peak_rss_mb, workers[one.name].end())
    return [times_ms[one.name] for one in [*entries, *rivals]], repetitions, failed


def _same(one: _Entry, worker: PeerWorker, ours: _Entry) -> None:
    """Keeps its map; raises UsageError where it is another network's.

    What differs from our float32 by no more than rounding is float32 itself, whatever it was given
    as.
    """
    one.map = worker.map
    if ours.map is None:
        raise UsageError(f"{ours.name}: gave no map")
    apart = np.abs(one.map - ours.map)
    exact = one.precision in ("fp32", "as given") and ours.precision == "fp32"
    found, most = (apart.max(), TOLERANCE) if exact else (apart.mean(), COARSE_TOLERANCE)
    if not found <= most:  # NaN neither
        what = "up to" if exact else "on average"
        raise UsageError(
            f"{one.name}: computes another network: its probabilities differ by {what} {found:.2g}"
        )
    if exact:
        one.precision = "fp32"


def _rows(
    entries: Sequence[_Entry], times_ms: Sequence[list[float]], starts: int
) -> Iterator[EngineRow]:
    ours = entries[0]
    for one, found in zip(entries, times_ms, strict=True):
        ratio: Ratio | None = None
        if one is not ours and len(found) >= LEAST_RUNS:
            ratio = paired(times_ms[0], found, starts)
        apart = np.abs(np.asarray(one.map) - np.asarray(ours.map))
        yield EngineRow(
            one.name,
            one.version,
            one.precision,
            round(one.load_ms, 3),
            Latency.of(found),
            ratio,
            float(apart.max()),
            float(apart.mean()),
            round(one.peak_rss_mb, 1),
        )


def _engines(text: str) -> list[str]:
    found = list(dict.fromkeys(text.split(",")))
    if unknown := [name for name in found if name not in PEERS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: one or more of {','.join(PEERS)}")
    return found


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench peers", description=bench.peers.__doc__)
    parse.add_argument(
        "artifact", type=path, nargs="*",
        help="ours, then others of the same network: folders, or bundled ones by name",
    )  # fmt: skip
    parse.add_argument("--checkpoint", type=path, metavar="FILE", help="the network, of train fit")
    parse.add_argument("--onnx", type=path, metavar="FILE", help="made of the checkpoint without")
    parse.add_argument("--ncnn", type=path, metavar="PARAM", help="made by pnnx without")
    parse.add_argument("--tflite", type=path, metavar="FILE", help="for litert")
    parse.add_argument(
        "--engines", type=_engines, default=list(PEERS), metavar="A,B",
        help=f"default: {','.join(PEERS)}",
    )  # fmt: skip
    parse.add_argument("--image", type=path, metavar="FILE", help="default: the golden one")
    parse.add_argument("--threads", type=whole_number(1, 1024), default=1, metavar="N")
    parse.add_argument("--cores", metavar="big|little|LIST", help="default: all of this process")
    parse.add_argument("--rounds", type=whole_number(1, 10**5), default=30, metavar="N")
    parse.add_argument(
        "--starts", type=whole_number(1, 1000), default=3, metavar="N",
        help="how often all processes start anew; default: 3",
    )  # fmt: skip
    parse.add_argument("--force", action="store_true", help="on a busy machine too")
    add_trust_flags(parse)
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    parse.add_argument("--json", action="store_true", help="print the run as JSON")
    return parse
