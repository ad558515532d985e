"""The manifest of an artifact for volumes, as strict as that for photographs."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import artifact_folders
import octa_folders
import pytest
from octa_folders import manifest

from edge_vessel import manifest as manifests
from edge_vessel import signing
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import ArtifactError, UsageError

PATH = Path("manifest.json")


def test_it_is_read_back_as_it_was_written():
    content = manifests.to_json(manifest())
    document = json.loads(content)
    assert (document["schema_version"], document["kind"]) == (2, "octa")
    assert manifests.parse(content, PATH) == manifest()


@dataclass(frozen=True)
class Case:
    name: str
    field: str
    value: Any
    says: str


HUGE = asdict(replace(octa_folders.FORM, depth=4096, height=4096, width=4096))
CASES = [
    Case("another kind", "kind", "fundus", "kind: 'fundus' is not one of octa"),
    Case("of photographs by its number", "schema_version", 1, "'kind': 'octa' is an unknown field"),
    Case("newer", "schema_version", 3, "schema_version: 3 is unknown"),
    Case("channels swapped", "input.channels", ["OCTA", "OCT"], "are not OCT, OCTA or both"),
    Case("a channel twice", "input.channels", ["OCTA", "OCTA"], "are not OCT, OCTA or both"),
    Case("no channel", "input.channels", [], "are not OCT, OCTA or both"),
    Case("unknown channel", "input.channels", ["MRI"], "'MRI' is not one of OCT, OCTA"),
    Case("no depth", "input.depth", 0, "input.depth: 0 is outside 1 to 4096"),
    Case("137 gigavoxels", "input", HUGE, "137438953472 voxels of a patch times classes"),
    Case("whole overlap", "input.overlap", 1.0, "input.overlap: 1.0 is outside 0 to 0.95"),
    Case("blending", "input.blending", "linear", "is not one of constant, gaussian"),
    Case("no class", "output.classes", [], "do not begin with vessel"),
    Case("no vessels", "output.classes", ["faz"], "do not begin with vessel"),
    Case("class twice", "output.classes", ["vessel", "vessel"], "do not begin with vessel"),
    Case("class name", "output.classes", ["vessel", "A b"], "is not a class name"),
    Case("engine", "engine.name", "tvm", "runs no volumes"),
    Case("of a photograph", "input.colour", "RGB", "'colour': 'RGB' is an unknown field"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_it_refuses(case):
    document = json.loads(manifests.to_json(manifest()))
    *parents, name = case.field.split(".")
    value = case.value
    if case.field == "input.channels":
        value = [{"name": one, "scale": 1.0, "offset": 0.0} for one in value]
    target = document
    for parent in parents:
        target = target[parent]
    target[name] = value
    with pytest.raises(ArtifactError) as raised:
        manifests.parse(json.dumps(document).encode(), PATH)
    assert case.says in str(raised.value)


def test_it_is_signed_and_verified_as_any_other(tmp_path):
    private, public = signing.generate(tmp_path / "clinic")
    key, trusted = signing.load_private_key(private), [signing.load_public_key(public)]
    folder = octa_folders.write(tmp_path / "octa", key)
    assert open_artifact(folder, trusted).trust.startswith("signed by")
    model = folder / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        open_artifact(folder, trusted)


def test_each_kind_says_what_it_is_for(tmp_path):
    fundus = open_artifact(artifact_folders.write(tmp_path / "fundus"), allow_unsigned=True)
    octa = open_artifact(octa_folders.write(tmp_path / "octa"), allow_unsigned=True)
    assert fundus.fundus.input.colour == "RGB"
    assert octa.octa.input.depth == octa_folders.DEPTH
    with pytest.raises(UsageError, match="segments photographs"):
        _ = fundus.octa
    with pytest.raises(UsageError, match="segments OCTA volumes"):
        _ = octa.fundus
