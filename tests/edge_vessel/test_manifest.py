import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from artifact_folders import manifest
from hypothesis import given
from hypothesis import strategies as st

from edge_vessel import manifest as manifests
from edge_vessel.errors import ArtifactError
from edge_vessel.manifest import FileRecord, Manifest

PATH = Path("folder/manifest.json")
RECORD = FileRecord("model.onnx", "0" * 64, 10)
WHOLE = replace(manifest(), files=(RECORD,))


def test_canonical_bytes_come_back_as_the_same_manifest():
    content = manifests.to_json(WHOLE)
    assert manifests.parse(content, PATH) == WHOLE
    assert manifests.to_json(manifests.parse(content, PATH)) == content


def test_bytes_do_not_depend_on_the_order_of_keys():
    document = json.loads(manifests.to_json(WHOLE))
    backwards = json.dumps(dict(reversed(document.items()))).encode()
    assert backwards != manifests.to_json(WHOLE)
    assert manifests.to_json(manifests.parse(backwards, PATH)) == manifests.to_json(WHOLE)


def test_bytes_are_sorted_ascii_with_a_final_line_feed():
    content = manifests.to_json(replace(WHOLE, licence="naïve"))
    assert content.isascii()
    assert content.endswith(b"}\n")
    keys = list(json.loads(content))
    assert keys == sorted(keys)


DELETED = object()


@dataclass
class FieldCase:
    name: str
    field: str
    value: Any
    message: str


HUGE = 10**400
FIELD_CASES = [
    FieldCase("schema newer", "schema_version", 3, "schema_version: 3 is unknown"),
    FieldCase("schema zero", "schema_version", 0, "schema_version: 0 is unknown"),
    FieldCase("schema missing", "schema_version", DELETED, "schema_version: is missing"),
    FieldCase("schema bool", "schema_version", True, "schema_version: True is not a whole number"),
    FieldCase("schema float", "schema_version", 1.0, "schema_version: 1.0 is not a whole number"),
    FieldCase("missing", "licence", DELETED, "licence: is missing"),
    FieldCase("missing inside", "model.parameters", DELETED, "model.parameters: is missing"),
    FieldCase("unknown", "colour", 1, "'colour': 1 is an unknown field"),
    FieldCase("unknown inside", "input.depth", 3, "input.'depth': 3 is an unknown field"),
    FieldCase("object as text", "model", "m2unet", "model: 'm2unet' is not an object"),
    FieldCase("list as object", "metrics", {}, "metrics: {} is not a list"),
    FieldCase("text as number", "input.height", "544", "input.height: '544' is not a whole number"),
    FieldCase("float as int", "version", 1.5, "version: 1.5 is not a whole number"),
    FieldCase("bool as int", "version", True, "version: True is not a whole number"),
    FieldCase("bool as float", "output.threshold", True, "output.threshold: True is not a number"),
    FieldCase("null as text", "licence", None, "licence: None is not a text"),
    FieldCase("number as text", "name", 5, "name: 5 is not a text"),
    FieldCase("version zero", "version", 0, "version: 0 is outside 1 to"),
    FieldCase("height zero", "input.height", 0, "input.height: 0 is outside 1 to 8192"),
    FieldCase("width large", "input.width", 8193, "input.width: 8193 is outside 1 to 8192"),
    FieldCase("width huge", "input.width", HUGE, "input.width: 1000"),
    FieldCase(
        "threshold high", "output.threshold", 1.01, "threshold: 1.01 is outside 1e-06 to 0.999999"
    ),
    FieldCase("threshold negative", "output.threshold", -0.1, "threshold: -0.1 is outside"),
    FieldCase("scale zero", "input.scale", 0, "input.scale: 0 is outside"),
    FieldCase("offset overflows", "input.offset", HUGE, "is not finite"),
    FieldCase("no threads", "target.threads", 0, "target.threads: 0 is outside"),
    FieldCase("no memory", "target.memory_mb", 0, "target.memory_mb: 0 is outside"),
    FieldCase("dtype", "input.dtype", "int8", "input.dtype: 'int8' is not one of float32"),
    FieldCase("layout", "input.layout", "CHWN", "input.layout: 'CHWN' is not one of NCHW, NHWC"),
    FieldCase("pair", "input.layout", "NHWC", "input: float32 NHWC: float32 goes with NCHW"),
    FieldCase("colour order", "input.colour", "BGR", "input.colour: 'BGR' is not one of RGB"),
    FieldCase("engine", "engine.name", "sh", "engine.name: 'sh' is not one of onnx, tvm"),
    FieldCase("portable native code", "engine.name", "tvm", "'any' is for portable models"),
    FieldCase("triple", "target.triple", "../x", "target.triple: '../x' is not a target triple"),
    FieldCase("feature", "target.features", ["a b"], "target.features[0]: 'a b' is not a feature"),
    FieldCase("log hash", "tuning_log_sha256", "abc", "tuning_log_sha256: 'abc' is not a SHA-256"),
    FieldCase("hash in capitals", "model.split_sha256", "A" * 64, "is not a SHA-256"),
    FieldCase("name climbs", "name", "../tiny", "name: '../tiny' is not a plain file name"),
    FieldCase("empty text", "licence", "", "licence: '' is not 1 to 1000 printable"),
    FieldCase("long text", "licence", "x" * 1001, "is not 1 to 1000 printable"),
    FieldCase("terminal escape", "licence", "\x1b[2J", r"'\x1b[2J' is not 1 to 1000 printable"),
    FieldCase("line feed", "licence", "a\nb", "is not 1 to 1000 printable"),
    FieldCase("lone surrogate", "licence", "\ud800", "is not 1 to 1000 printable"),
    FieldCase("right to left", "licence", "\u202e", "is not 1 to 1000 printable"),
    FieldCase("time with zone", "created", "2026-01-31T12:00:00+01:00", "is not a UTC time"),
    FieldCase("no such day", "created", "2026-02-30T12:00:00Z", "is no date"),
    FieldCase("file climbs", "files.0.name", "../model.onnx", "files[0].name: '../model.onnx'"),
    FieldCase("file absolute", "files.0.name", "/etc/passwd", "files[0].name: '/etc/passwd'"),
    FieldCase("file in folder", "files.0.name", "a/b", "files[0].name: 'a/b' is not a plain"),
    FieldCase("file backslash", "files.0.name", "a\\b", "is not a plain file name"),
    FieldCase("file hidden", "files.0.name", ".profile", "files[0].name: '.profile'"),
    FieldCase("file dot dot", "files.0.name", "..", "files[0].name: '..'"),
    FieldCase("file line feed", "files.0.name", "model.onnx\n", "printable"),
    FieldCase("file long", "files.0.name", "a" * 101, "is not a plain file name"),
    FieldCase("file size zero", "files.0.size", 0, "files[0].size: 0 is outside"),
    FieldCase("file size negative", "files.0.size", -1, "files[0].size: -1 is outside"),
    FieldCase("file size large", "files.0.size", 2**40, "files[0].size: 1099511627776 is outside"),
    FieldCase("file reserved", "files.0.name", "manifest.sig", "reserved or stands twice"),
    FieldCase("manifest names itself", "files.0.name", "manifest.json", "reserved or stands twice"),
]


def changed(field: str, value: Any) -> bytes:
    document = json.loads(manifests.to_json(WHOLE))
    *path, last = field.split(".")
    inner = document
    for name in path:
        inner = inner[int(name)] if isinstance(inner, list) else inner[name]
    if value is DELETED:
        del inner[last]
    else:
        inner[int(last) if isinstance(inner, list) else last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("case", FIELD_CASES, ids=lambda case: case.name)
def test_a_bad_field_is_named_with_its_value(case):
    with pytest.raises(ArtifactError) as caught:
        manifests.parse(changed(case.field, case.value), PATH)
    text = str(caught.value)
    assert case.message in text
    assert text.startswith(f"{PATH}: ")
    assert text.isprintable()
    assert len(text) < 400


def test_a_file_named_twice_is_refused():
    document = json.loads(manifests.to_json(WHOLE))
    document["files"] *= 2
    with pytest.raises(ArtifactError, match="stands twice"):
        manifests.parse(json.dumps(document).encode(), PATH)


@dataclass
class BytesCase:
    name: str
    content: bytes
    message: str


TEXT = manifests.to_json(WHOLE)
BYTES_CASES = [
    BytesCase("empty", b"", "is not JSON"),
    BytesCase("not JSON", b"\x7fELF", "is not JSON"),
    BytesCase("truncated", TEXT[:-10], "is not JSON"),
    BytesCase("trailing", TEXT + b"{}", "is not JSON"),
    BytesCase("UTF-16", TEXT.decode().encode("utf-16"), "is not JSON in UTF-8"),
    BytesCase("byte order mark", b"\xef\xbb\xbf" + TEXT, "is not JSON"),
    BytesCase("a list", b"[]", "the document: [] is not an object"),
    BytesCase("null", b"null", "the document: None is not an object"),
    BytesCase("NaN", TEXT.replace(b'"threshold": 0.5', b'"threshold": NaN'), "NaN: is not a JSON"),
    BytesCase(
        "Infinity", TEXT.replace(b'"value": 0.5', b'"value": -Infinity'), "-Infinity: is not"
    ),
    BytesCase(
        "1e999", TEXT.replace(b'"value": 0.5', b'"value": 1e999'), "value: inf is not finite"
    ),
    BytesCase("key twice", TEXT.replace(b"{", b'{"name": "other", ', 1), "'name': stands twice"),
    BytesCase("deep", b"[" * 100_000, "is nested too deep"),
    BytesCase("digits", TEXT.replace(b'"size": 10', b'"size": ' + b"9" * 5000), "is not JSON"),
]


@pytest.mark.parametrize("case", BYTES_CASES, ids=lambda case: case.name)
def test_bytes_that_are_no_manifest(case):
    assert case.content != TEXT
    with pytest.raises(ArtifactError) as caught:
        manifests.parse(case.content, PATH)
    assert case.message in str(caught.value)
    assert "\n" not in str(caught.value)


WRITE_CASES = [
    replace(WHOLE, version=0),
    replace(WHOLE, licence=""),
    replace(WHOLE, schema_version=2),
    replace(WHOLE, output=replace(WHOLE.output, threshold=float("nan"))),
    replace(WHOLE, target=replace(WHOLE.target, triple="x")),
]


@pytest.mark.parametrize("case", WRITE_CASES)
def test_what_would_not_be_read_is_not_written(case):
    with pytest.raises(ArtifactError):
        manifests.to_json(case)


@given(position=st.integers(0, len(TEXT) - 1), byte=st.integers(0, 255))
def test_any_changed_byte_gives_a_manifest_or_an_artifact_error(position, byte):
    content = TEXT[:position] + bytes([byte]) + TEXT[position + 1 :]
    try:
        assert isinstance(manifests.parse(content, PATH), Manifest)
    except ArtifactError as error:
        assert "\n" not in str(error)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [*json.loads(TEXT), "model.parameters", "target.features", "files.0.size", "metrics.0"]


@given(field=st.sampled_from(FIELDS), value=VALUES)
def test_any_value_in_any_field_gives_a_manifest_or_an_artifact_error(field, value):
    try:
        assert isinstance(manifests.parse(changed(field, value), PATH), Manifest)
    except ArtifactError as error:
        assert "\n" not in str(error)
