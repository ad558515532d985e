"""Stored runs: the schema and the dataclasses say the same, and what is in neither is refused."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
from artifact_folders import ROOT, called, python, write

from bench import run_file
from bench.__main__ import main
from bench.quantities import Length
from bench.run_file import EnergyRun, Run
from edge_vessel.errors import UsageError
from edge_vessel.json_reader import MAX_TEXT, Form, Range

SCHEMA = json.loads((ROOT / "bench" / "schema" / "run.schema.json").read_text())
SAMPLE = ROOT / "samples" / "chase_db1_07L.jpg"
NUMBERS = {int: "integer", float: "number"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two cases, an image with a name that is markup, and an output without an ending."""
    folder = tmp_path_factory.mktemp("runs")
    image = folder / "photo[1] [bold]x\n.jpg"
    image.write_bytes(SAMPLE.read_bytes())
    done = python(
        "-m", "bench", "latency", write(folder / "tiny"), "--allow-unsigned", "--image", image,
        "--force", "--warmup", "0", "--runs", "20", "--threads", "1,2", "--output", folder / "a",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert r"photo[1] [bold]x\n.jpg" in done.stdout
    return folder / "a"


@pytest.fixture
def run(stored: Path, tmp_path: Path) -> Path:
    for path in stored.parent.glob("a*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / "a"


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return document


def _agree(kind: Any, schema: dict[str, Any], field: str, rule: object = None) -> None:
    """Raises where a value of dataclass field `field` may be what the schema does not allow, or the
    other way round."""
    schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        _agree(arguments[0], schema, field, arguments[1])
    elif origin in (Union, UnionType):
        inner, null = schema["anyOf"]
        assert null == {"type": "null"}, field
        _agree(next(one for one in arguments if one is not NoneType), inner, field)
    elif dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        assert set(schema["properties"]) == set(schema["required"]) == set(hints), field
        assert schema["additionalProperties"] is False, field
        for name, hint in hints.items():
            _agree(hint, schema["properties"][name], f"{field}.{name}")
    elif origin is tuple:
        assert schema["type"] == "array", field
        limits = (schema.get("minItems"), schema.get("maxItems"))
        expected = (rule.minimum, rule.maximum) if isinstance(rule, Length) else (None, None)
        assert limits == expected, field
        _agree(arguments[0], schema["items"], f"{field}[]")
    elif origin is Literal:
        assert schema == {"enum": list(arguments)}, field
    elif kind is str:
        assert (schema["type"], schema["minLength"]) == ("string", 1), field
        assert schema["maxLength"] == MAX_TEXT, field
        pattern = f"^{rule.pattern}$" if isinstance(rule, Form) else None
        assert schema.get("pattern") == pattern, field
    elif kind is bool:
        assert schema == {"type": "boolean"}, field
    else:
        assert isinstance(rule, Range), f"{field}: any number"
        expected = {"type": NUMBERS[kind], "minimum": rule.minimum, "maximum": rule.maximum}
        assert schema == expected, field


@pytest.mark.parametrize("kind", [Run, EnergyRun])
def test_schema_and_dataclasses_are_one_contract(kind: type[Run]) -> None:
    schema = json.loads(json.dumps(SCHEMA))
    version = schema["properties"]["schema_version"]
    assert version == {"const": run_file.SCHEMA_VERSION}
    version.clear()
    version.update({"type": "integer", "minimum": 1, "maximum": 10**15})
    case, more = schema["properties"]["cases"]["items"], schema["then"]
    if kind is EnergyRun:
        schema["required"] += more["required"]
        case["required"] += more["properties"]["cases"]["items"]["required"]
    else:
        for name in more["required"]:
            assert schema["else"]["properties"][name] is False
            del schema["properties"][name]
        assert schema["else"]["properties"]["cases"]["items"] == {"properties": {"energy": False}}
        del case["properties"]["energy"]
    _agree(kind, schema, kind.__name__)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda run: run["cases"][0].update(threads=-5), r"cases\[0\].threads: -5 is outside"),
        (lambda run: run["cases"][0].update(cores=[]), r"cores: \[\] has not 1 to"),
        (lambda run: run["cases"][0].update(image_size=[1, 2, 3]), r"image_size: .* has not 2"),
        (lambda run: run["cases"][0].update(gmadds_per_s=-1), "gmadds_per_s: -1 is outside"),
        (lambda run: run["cases"][0].update(gmadds_per_s=1e300), "gmadds_per_s: 1e.300 is outside"),
        (
            lambda run: run["cases"][0].update(
                peak={"percent": None, "gmadds_per_s": 1, "source": "x"}
            ),
            "peak.percent: None is not a number",
        ),
        (lambda run: run.update(cases=[]), r"cases: \[\] has not 1 to 1000 items"),
        (lambda run: run.update(created="today"), "created: 'today' is not a UTC time"),
        (lambda run: run["samples"].update(file="../b.csv"), "file: .* without a folder"),
        (lambda run: run["conditions"]["machine"]["cores"][0].update(index=-1), "index: -1"),
    ],
)
def test_neither_takes(run: Path, change: Callable[[dict[str, Any]], object], says: str) -> None:
    document = json.loads(run.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(_edit(run, change))
    with pytest.raises(UsageError, match=says):
        run_file.read(run)


def test_a_case_stands_once(run: Path) -> None:
    _edit(run, lambda document: document["cases"][1].update(threads=1))
    with pytest.raises(UsageError, match=r"tiny-16 fp32, 2 threads .*: stands twice"):
        run_file.read(run)


def test_an_older_run_is_to_be_measured_again(run: Path) -> None:
    _edit(run, lambda document: document.update(schema_version=1, samples="a.samples.csv"))
    with pytest.raises(UsageError, match="schema version 1; this bench reads 2: measure again"):
        run_file.read(run)


def test_a_run_of_another_command_is_named() -> None:
    peers = ROOT / "bench" / "results" / "workstation_peers_544_1.json"
    done = called(main, "compare", peers, peers)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "is no run of latency or energy: its command is 'peers'" in done.stderr


def test_runs_of_one_stem_have_samples_of_their_own(run: Path) -> None:
    found = run_file.read(run)
    texts = [run.with_name(name) for name in ("b.json", "b.txt")]
    for path, time_ms in zip(texts, (1.0, 2.0), strict=True):
        run_file.write(path, found, [[(1.0, time_ms, 1.0)] * 20] * 2)
    for path, time_ms in zip(texts, (1.0, 2.0), strict=True):
        assert run_file.read_inference(path, run_file.read(path)) == [[time_ms] * 20] * 2


def test_a_run_without_samples_says_how_to_get_some(run: Path) -> None:
    _edit(run, lambda document: document.update(samples=None))
    with pytest.raises(UsageError, match="names no CSV beside it: measure with --output"):
        run_file.read_inference(run, run_file.read(run))


def test_only_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(UsageError, match="is not a regular file"):
            run_file.read(path)


def test_names_are_text_and_no_markup(run: Path, tmp_path: Path) -> None:
    title = "x [/red] <img src=a> [a](javascript:1) | $\\frac$"
    _edit(run, lambda document: document["cases"][0].update(title=title))
    told = tmp_path / "a.md"
    done = called(main, "report", run, "--markdown", told, "--png", tmp_path / "a.png")
    assert done.returncode == 0, done.stderr
    for said in (title, r"photo[1] [bold]x\n.jpg 999x960"):
        assert said in done.stdout
    assert r"x \[/red] \<img src=a> \[a](javascript:1) \| $\\frac$" in told.read_text()
    done = called(main, "compare", run, run)
    assert done.returncode == 0, done.stderr
    assert title in done.stdout


def _elsewhere(document: dict[str, Any]) -> None:
    """Measured by the same on a machine of more cores."""
    document["conditions"]["machine"]["cpu"] = "4x Cortex-A72"
    for case in document["cases"]:
        case |= {
            "cores": [0, 1, 2, 3],
            "title": case["title"].replace("cores 0,1", "cores 0,1,2,3"),
        }


def test_machines_of_other_core_counts_compare(run: Path) -> None:
    other = run.with_name("b")
    other.write_text(run.read_text())
    _edit(other, _elsewhere)
    done = called(main, "compare", run, other, "--across-machines", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 2


def test_other_cores_of_one_machine_do_not_compare(run: Path) -> None:
    other = run.with_name("b")
    other.write_text(run.read_text())
    _edit(other, lambda document: document["cases"][0].update(cores=[7]))
    done = called(main, "compare", run, other)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "ran on other cores" in done.stderr


@pytest.mark.parametrize("tolerance", ["nan", "inf", "-1", "x"])
def test_a_tolerance_is_a_share(run: Path, tolerance: str) -> None:
    done = called(main, "compare", run, run, "--tolerance", tolerance)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "a share from 0 to 10" in done.stderr
