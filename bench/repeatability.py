"""`python -m bench repeatability`: do the biomarkers of one eye agree from capture to capture?

The folder holds one folder for each person with photographs of one eye. Told are, of each
biomarker, the mean, the spread within a person and between people (standard deviations of a one-way
analysis of variance) and the share of the variance that is between people: ICC(1,1) of Shrout and
Fleiss, "Intraclass correlations: uses in assessing rater reliability", Psychological Bulletin 86,
1979. At 1 a single capture tells people apart as well as many; at 0 it says nothing of the person.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from bench import conditions, document, flags, run_file, tables
from bench.repeatability_file import SCHEMA_VERSION, Agreement, Capture, RepeatabilityRun
from bench.repeatability_table import section
from bench.subject import Subject
from edge_vessel import models, signing
from edge_vessel.artifact import open_artifact
from edge_vessel.atomic import write_file
from edge_vessel.board import read_board
from edge_vessel.command_line import Parser, add_model_flags, path
from edge_vessel.engines.cores import available
from edge_vessel.errors import UsageError
from edge_vessel.progress import shown
from edge_vessel.segmenter import Segmenter
from edge_vessel.sources.images import ImageFiles, read_image
from edge_vessel.vessels import Biomarkers, Field, analyse


def repeatability(arguments: list[str]) -> int:
    """Segments, measures, prints, writes.

    Raises:
        UsageError: the folder is not as it should be; a photograph is unreadable.
        ArtifactError: an artifact that cannot be trusted or does not fit this machine.
        DeviceError: the engine or the disk failed.
    """
    options = _parser().parse_args(arguments)
    photographs = _photographs(options.folder)
    artifact = open_artifact(
        models.resolve(options.model),
        signing.trusted_keys(options.trusted_key),
        options.allow_unsigned,
    )
    segmenter = Segmenter(artifact, options.threads)
    board = read_board()
    # Nothing is timed: a busy machine shapes no figure.
    before = conditions.begin(True, 0.0, board, available())
    captures = tuple(
        Capture(person, photograph.name, _biomarkers(segmenter, photograph))
        for person, photograph in shown(photographs)
    )
    after = read_board()
    run = RepeatabilityRun(
        schema_version=SCHEMA_VERSION,
        command="repeatability",
        kind=conditions.kind_of(after),
        created=run_file.now(),
        conditions=conditions.end(before, after),
        subject=Subject.of(artifact, f"{segmenter.engine.name} {segmenter.engine.version}"),
        threshold=segmenter.threshold,
        agreement=tuple(agreements(captures)),
        captures=captures,
    )
    text = document.text(run)
    if options.output is not None:
        write_file(options.output, text.encode())
    if options.json:
        sys.stdout.write(text)
    else:
        tables.show_section(section(run), right=4)
    return 0


def agreements(captures: Sequence[Capture]) -> list[Agreement]:
    """One for each biomarker that two people have, one of them twice."""
    found = []
    for name in (field.name for field in fields(Biomarkers)):
        people: dict[str, list[float]] = {}
        for capture in captures:
            value = capture.biomarkers and getattr(capture.biomarkers, name)
            if value is not None:
                people.setdefault(capture.person, []).append(float(value))
        groups = [np.array(values) for values in people.values()]
        if len(groups) > 1 and any(len(group) > 1 for group in groups):
            found.append(_agreement(name, groups))
    return found


def _agreement(name: str, groups: Sequence[np.ndarray]) -> Agreement:
    every = np.concatenate(groups)
    sizes = np.array([len(group) for group in groups])
    means = np.array([group.mean() for group in groups])
    count, total = len(groups), len(every)
    between = float((sizes * (means - every.mean()) ** 2).sum()) / (count - 1)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    within = squares / (total - count)
    # The captures per person; less than their mean where people have unequally many.
    each = (total - float((sizes**2).sum()) / total) / (count - 1)
    spread = between + (each - 1) * within
    return Agreement(
        biomarker=name,
        people=count,
        captures=total,
        mean=float(every.mean()),
        within_sd=within**0.5,
        between_sd=max(0.0, (between - within) / each) ** 0.5,
        icc=(between - within) / spread if spread > 0 else None,
    )


def _photographs(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name one that holds a folder for each person")
    people = sorted(one for one in folder.iterdir() if one.is_dir())
    if len(people) < 2:
        raise UsageError(
            f"{folder}: holds {len(people)} folders: one for each of two people or more"
        )
    return [(person.name, one) for person in people for one in ImageFiles(str(person)).paths]


def _biomarkers(segmenter: Segmenter, photograph: Path) -> Biomarkers | None:
    image = read_image(photograph)
    found = segmenter.segment(image)
    if found.fov is None:
        return None
    return analyse(found.mask, Field.of(image, found.fov)).biomarkers


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench repeatability", description=__doc__)
    parse.add_argument("folder", type=path, help="holds a folder of photographs for each person")
    add_model_flags(parse)
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    parse.add_argument("--json", action="store_true", help="print the document as JSON")
    return parse
