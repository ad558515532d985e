"""`python -m bench matching FOLDER`: an eye against one and against thousands, on one core.

The folder holds photographs of different eyes. The gallery holds their templates and synthetic
ones: each quadrant of a synthetic eye is that of a random real one, turned at random. A probe is
the template of a real eye with a tenth of its points left out, turned up to 30 degrees, scaled by
0.8 to 1.25 and shifted by up to a sixth of the field. This measures time; whether the right eye
came first is told, but synthetic eyes say little about real people. Protected templates of the
same eyes are measured with the same probes.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from bench import conditions, flags, protected_matching, run_file, tables
from bench.conditions import Conditions
from bench.protected_matching import ProtectedMatching
from bench.samples import Latency
from edge_vessel import models, signing
from edge_vessel.artifact import open_artifact
from edge_vessel.atomic import write_file
from edge_vessel.biometrics.captures import Acquisition, Picture
from edge_vessel.biometrics.enrolment import moved
from edge_vessel.biometrics.gallery import Gallery
from edge_vessel.biometrics.matcher import THRESHOLD, compare
from edge_vessel.biometrics.similarity import Similarity
from edge_vessel.biometrics.template import MAX_LANDMARKS, MAX_SAMPLES, Template
from edge_vessel.board import read_board
from edge_vessel.command_line import Parser, add_model_flags, path, whole_number
from edge_vessel.engines.cores import available
from edge_vessel.errors import UsageError
from edge_vessel.progress import shown
from edge_vessel.segmenter import Segmenter
from edge_vessel.sources.images import ImageFiles, read_image


@dataclass(frozen=True)
class Matching:
    """found: searches whose first candidate was the probe's eye, and matched."""

    eyes: int
    gallery: int
    one_to_one: Latency
    one_to_many: Latency
    found: int
    protected: ProtectedMatching


def matching(arguments: list[str]) -> int:
    """Measures, prints, writes.

    Raises:
        UsageError: an option, or fewer than two photographs with a fundus.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
        DeviceError: the machine is busy, the engine or the disk failed.
    """
    options = _parser().parse_args(arguments)
    cores = sorted(available())
    if len(cores) > 1:
        # The threads of NumPy's BLAS are there from its import: only a new process is on one core.
        sys.stdout.flush()
        os.sched_setaffinity(0, cores[-1:])
        command = [sys.executable, "-m", "bench", "matching", *arguments]
        os.execv(sys.executable, command)  # noqa: S606
    board = read_board()
    before = conditions.begin(options.force, 0.0, board, cores)
    measured = _measure(options, _templates(options))
    after = read_board()
    run = conditions.end(before, after)
    conditions.warn(run)
    text = _document(measured, run, conditions.kind_of(after))
    if options.output is not None:
        write_file(options.output, text.encode())
    if options.json:
        sys.stdout.write(text)
    else:
        _print(measured, run)
    return 0


def _templates(options: argparse.Namespace) -> list[Template]:
    files = ImageFiles(str(options.folder)).paths
    if not 2 <= len(files) <= options.gallery:
        raise UsageError(
            f"{options.folder}: {len(files)} photographs: it needs two, and no more than the "
            f"{options.gallery} of --gallery"
        )
    artifact = open_artifact(
        models.resolve(options.model),
        signing.trusted_keys(options.trusted_key),
        options.allow_unsigned,
    )
    segmenter = Segmenter(artifact, options.threads)
    acquisition = Acquisition(segmenter, artifact.manifest_sha256, None)
    found = [
        acquisition.capture(Picture(one.name, one.name, read_image(one))).template
        for one in shown(files, "segmenting")
    ]
    templates = [one for one in found if one is not None]
    if len(templates) < 2:
        raise UsageError(f"{options.folder}: {len(templates)} show a fundus: it needs two")
    return templates


def _measure(options: argparse.Namespace, eyes: Sequence[Template]) -> Matching:
    rng = np.random.default_rng(options.seed)
    others = [synthetic_eye(eyes, rng) for _ in range(options.gallery - len(eyes))]
    templates = [*eyes, *others]
    gallery = Gallery(templates)
    probes = [_probe(eyes[run % len(eyes)], rng) for run in range(options.runs)]
    pair_ms, search_ms, found = [], [], 0
    for run, probe in enumerate(shown(probes)):
        for reference in (eyes[run % len(eyes)], others[run % len(others)] if others else eyes[0]):
            started = time.perf_counter()
            compare(probe, reference)
            pair_ms.append(1e3 * (time.perf_counter() - started))
        started = time.perf_counter()
        first = gallery.search(probe)[0]
        search_ms.append(1e3 * (time.perf_counter() - started))
        found += first.index == run % len(eyes) and first.comparison.score >= THRESHOLD
    pairs, searches = Latency.of(pair_ms), Latency.of(search_ms)
    protected = protected_matching.measure(templates, len(eyes), probes, rng)
    return Matching(len(eyes), options.gallery, pairs, searches, found, protected)


def synthetic_eye(eyes: Sequence[Template], rng: np.random.Generator) -> Template:
    """An eye of nobody: each quadrant from one of the eyes, turned by up to half a turn."""
    samples, landmarks = [], []
    for quadrant in range(4):
        chosen = eyes[int(rng.integers(len(eyes)))]
        turn = Similarity(complex(np.exp(1j * rng.uniform(-np.pi, np.pi))), 0j)
        turned = moved(chosen, turn)
        for records, kept in ((turned.samples, samples), (turned.landmarks, landmarks)):
            kept.append(records[(records["x"] >= 0) + 2 * (records["y"] >= 0) == quadrant])
    return replace(
        eyes[0],
        samples=np.concatenate(samples)[:MAX_SAMPLES],
        landmarks=np.concatenate(landmarks)[:MAX_LANDMARKS],
    )


def _probe(eye: Template, rng: np.random.Generator) -> Template:
    factor = np.exp(complex(rng.uniform(np.log(0.8), np.log(1.25)), rng.uniform(-1, 1) * np.pi / 6))
    away = rng.uniform(0, 1 / 6) * np.exp(2j * np.pi * rng.random())
    seen = moved(eye, Similarity(complex(factor), complex(away)))
    return replace(
        seen,
        samples=seen.samples[rng.random(len(seen.samples)) >= 0.1],
        landmarks=seen.landmarks[rng.random(len(seen.landmarks)) >= 0.1],
    )


def _document(measured: Matching, run: Conditions, kind: str) -> str:
    document = {"kind": kind, "created": run_file.now(), "probes": "synthetic"}
    return json.dumps({**document, **asdict(measured), "conditions": asdict(run)}, indent=1) + "\n"


def _print(measured: Matching, run: Conditions) -> None:
    figures = ("runs", "p50", "p90", "p95", "max", "std")
    title = f"{run.machine.cpu}, one core; {measured.eyes} real eyes among {measured.gallery}"
    table = tables.table(title, "milliseconds", *figures, right=len(figures))
    for name, one in (
        ("1:1", measured.one_to_one),
        (f"1:{measured.gallery}", measured.one_to_many),
        ("1:1, protected", measured.protected.one_to_one),
        (f"1:{measured.gallery}, protected", measured.protected.one_to_many),
    ):
        values = (one.p50_ms, one.p90_ms, one.p95_ms, one.max_ms, one.std_ms)
        tables.add(table, name, str(one.count), *(f"{value:.1f}" for value in values))
    tables.show(table)
    sys.stdout.write(
        f"found {measured.found} of {measured.one_to_many.count} synthetic probes, "
        f"{measured.protected.found} by protected templates; "
        f"{conditions.course(run)}\n"
    )


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench matching", description=__doc__)
    parse.add_argument("folder", type=path, help="photographs of different eyes")
    parse.add_argument("--gallery", type=whole_number(2, 10**6), default=10_000, metavar="N")
    parse.add_argument("--runs", type=whole_number(1, 10**6), default=50, metavar="N")
    parse.add_argument("--seed", type=whole_number(0, 2**31), default=0, metavar="N")
    add_model_flags(parse)
    parse.add_argument("--force", action="store_true", help="on a busy machine too")
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    parse.add_argument("--json", action="store_true", help="print the document as JSON")
    return parse
