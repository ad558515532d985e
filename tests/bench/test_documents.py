"""Schemas are what the dataclasses say, and what is no document of bench is refused."""

import json
from pathlib import Path

import jsonschema
import pytest

from bench import documents
from bench.json_schema import FOLDER, WRITTEN, schema
from edge_vessel.errors import UsageError


@pytest.mark.parametrize("command", WRITTEN)
def test_stored_schemas_are_those_of_the_dataclasses(command: str) -> None:
    stored = (FOLDER / f"{command}.schema.json").read_text()
    assert stored == schema(command), "run python -m bench.json_schema"
    jsonschema.Draft202012Validator.check_schema(json.loads(stored))


@pytest.mark.parametrize("command", WRITTEN)
def test_a_document_of_another_version_is_refused(command: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"command": command, "schema_version": 9}))
    with pytest.raises(UsageError, match="not a run of this version's bench"):
        documents.read(path)
