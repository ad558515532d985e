"""Schemas are what the dataclasses say, and what is no document of bench is refused."""

import json
from pathlib import Path

import jsonschema
import pytest
from artifact_folders import ROOT
from stored import stored

from bench import csv_file, documents, run_file
from bench.gpu_file import STEPS, GpuRun
from bench.json_schema import FOLDER, WRITTEN, schema
from bench.peers.document import PeersRun
from bench.run_file import Run
from edge_vessel.errors import UsageError

RESULTS = ROOT / "bench" / "results"


def _told() -> list[str]:
    """Results that a command of bench has written as its document, from the results' folder."""
    found = []
    for path in sorted(RESULTS.rglob("*.json")):
        about = json.loads(path.read_text())
        if isinstance(about, dict) and about.get("command") in (*WRITTEN, *run_file.COMMANDS):
            found.append(str(path.relative_to(RESULTS)))
    return found


@pytest.mark.parametrize("name", _told())
def test_every_result_is_a_document_of_this_version_with_its_samples(name: str) -> None:
    path = RESULTS / name
    run = stored(path)
    if isinstance(run, Run):
        assert all(run_file.read_inference(path, run))
    if isinstance(run, GpuRun):
        frames = list(csv_file.read(path, run.samples, [f"{step}_ms" for step in STEPS]))
        assert len(frames) == run.stages.frame.count
    if isinstance(run, PeersRun):
        columns = ["round", *(f"{row.engine}_ms" for row in run.engines)]
        assert len(list(csv_file.read(path, run.samples, columns))) == run.rounds


@pytest.mark.parametrize("command", WRITTEN)
def test_stored_schemas_are_those_of_the_dataclasses(command: str) -> None:
    stored = (FOLDER / f"{command}.schema.json").read_text()
    assert stored == schema(command), "run python -m bench.json_schema"
    jsonschema.Draft202012Validator.check_schema(json.loads(stored))


@pytest.mark.parametrize("command", WRITTEN)
def test_a_document_of_another_version_is_refused(command: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"command": command, "schema_version": 9}))
    with pytest.raises(UsageError, match="schema version 9; this bench reads"):
        documents.read(path)
