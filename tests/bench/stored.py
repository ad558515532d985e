"""A document that a command has written: read back, and held against its schema."""

import json
from pathlib import Path

import jsonschema
from artifact_folders import ROOT

from bench import documents, run_file
from bench.documents import Document


def stored(path: Path) -> Document:
    document = json.loads(path.read_text())
    name = "run" if document["command"] in run_file.COMMANDS else document["command"]
    schema = ROOT / "bench" / "schema" / f"{name}.schema.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    return documents.read(path)
