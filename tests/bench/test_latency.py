"""Latency of real artifacts in real processes, its file, and what is made of two of them."""

import hashlib
import json
from pathlib import Path

import jsonschema
import pytest
from artifact_folders import ROOT, called, python, write

from bench.__main__ import main

SCHEMA = json.loads((ROOT / "bench" / "schema" / "run.schema.json").read_text())
HEAD = "case,preprocess_ms,inference_ms,postprocess_ms"
TINY = ["--allow-unsigned", "--image", ROOT / "samples" / "chase_db1_07L.jpg"]


def _latency(*arguments: str | Path):
    return python("-m", "bench", "latency", "--force", "--warmup", "0", *arguments)


def _check(document: dict) -> None:
    jsonschema.Draft202012Validator(
        SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(document)


def test_the_default_artifact_with_every_condition(tmp_path: Path, samples: Path) -> None:
    output = tmp_path / "run.json"
    done = _latency("--runs", "3", "--image", samples / "chase_db1_07L.jpg", "--output", output)
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    _check(document)
    (case,) = document["cases"]
    assert case["stages"]["inference"]["count"] == 3
    assert case["subject"]["trust"] == "pinned"
    assert case["image"] == "chase_db1_07L.jpg"
    assert case["load_ms"] > 1
    assert case["peak_rss_mb"] > 40
    rate = case["subject"]["multiply_adds"] / 1e6 / case["stages"]["inference"]["p50_ms"]
    assert case["gmadds_per_s"] == pytest.approx(rate, rel=1e-3)
    lines = (tmp_path / document["samples"]["file"]).read_text().splitlines()
    assert lines[0] == HEAD
    assert len(lines) == 4
    assert case["title"] in done.stdout


def test_several_cases_take_turns_and_compare(tmp_path: Path) -> None:
    both = tmp_path / "both.json"
    command = [write(tmp_path / "tiny"), *TINY, "--threads", "1,2", "--cores", "0-1"]
    done = _latency(*command, "--runs", "52", "--output", both, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    _check(document)
    assert [case["threads"] for case in document["cases"]] == [1, 2]
    assert {case["stages"]["total"]["count"] for case in document["cases"]} == {52}, (
        "in five rounds"
    )
    assert document["samples"] is None
    done = called(main, "compare", both, both, "--json")
    assert (done.returncode, [c["ratio"]["median"] for c in json.loads(done.stdout)]) == (0, [1, 1])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    path = folder / "a.json"
    done = _latency(write(folder / "tiny"), *TINY, "--runs", "1", "--output", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def run(measured: Path, tmp_path: Path) -> Path:
    """A run of 40 samples around 10 ms."""
    path = tmp_path / "a.json"
    path.write_bytes(measured.read_bytes())
    _samples(path, 10.0)
    return path


def _samples(path: Path, middle_ms: float, runs: int = 40) -> None:
    rows = [f"0,1,{middle_ms * (1 + 0.01 * (n % 5)):.4f},1" for n in range(runs)]
    _csv(path, "\n".join([HEAD, *rows, ""]))


def _csv(run: Path, content: str, count: int | None = None) -> None:
    """In the place of a run's samples, with its hash and count in the document."""
    document = json.loads(run.read_text())
    named = document["samples"]
    named["sha256"] = hashlib.sha256(content.encode()).hexdigest()
    for stage in document["cases"][0]["stages"].values():
        stage["count"] = content.count("\n") - 1 if count is None else count
    run.write_text(json.dumps(document))
    (run.parent / named["file"]).write_text(content)


def _changed(run: Path, name: str, middle_ms: float, **machine: str) -> Path:
    path = run.parent / name
    document = json.loads(run.read_text())
    document["samples"]["file"] = f"{name}.samples.csv"
    document["conditions"]["machine"] |= machine
    path.write_text(json.dumps(document))
    _samples(path, middle_ms)
    return path


@pytest.mark.parametrize(
    ("middle_ms", "more", "code", "word"),
    [
        (10.2, [], 0, "1.020"),
        (11.5, [], 1, "slower"),
        (11.5, ["--tolerance", "0.2"], 0, "1.150"),
        (8.0, [], 0, "faster"),
    ],
)
def test_a_regression_has_an_exit_code(run, middle_ms, more, code, word) -> None:
    done = called(main, "compare", run, _changed(run, "b.json", middle_ms), *more)
    assert done.returncode == code, done.stderr
    assert word in done.stdout


def test_machines_do_not_compare_unless_told(run: Path) -> None:
    other = _changed(run, "b.json", 10.0, cpu="4x Cortex-A72")
    done = called(main, "compare", run, other)
    assert done.returncode == 2
    assert "another machine: cpu '4x Cortex-A72'" in done.stderr
    assert called(main, "compare", run, other, "--across-machines").returncode == 0


def test_damaged_runs_are_one_line(run: Path) -> None:
    def fails(says: str) -> None:
        done = called(main, "compare", run, run)
        assert done.returncode == 2
        assert says in done.stderr
        assert done.stderr.count("\n") == 1

    samples = run.parent / "a.json.samples.csv"
    whole = samples.read_text()
    samples.write_text(whole.replace(",1\n", ",2\n", 1))
    fails("a.json.samples.csv: is not the file that was written with")
    samples.unlink()
    fails("No such file")
    samples.write_text(whole)
    document = json.loads(run.read_text())
    run.write_text(json.dumps(document | {"schema_version": 9}))
    fails("schema version 9")
    run.write_text("{")
    fails("not a run of this version's bench: is not JSON")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0,1,nan,1", "no case and times in ['0', '1', 'nan', '1']"),
        ("0,1,inf,1", "'inf'"),
        ("0,1,0,1", "'0', '1', '0'"),
        ("0,1,-2,1", "'-2'"),
        ("-1,1,2,1", "'-1', '1', '2'"),
        ("1,1,2,1", "no case"),
        (f"{'9' * 5000},1,2,1", "no case"),
        ("0,1,2", "a.json.samples.csv: line 42: not case,preprocess_ms"),
        (f"0,1,{'9' * 200_000},1", "a.json.samples.csv: is no CSV: field larger"),
    ],
)
def test_samples_that_are_none_are_one_line(run: Path, line: str, says: str) -> None:
    whole = (run.parent / "a.json.samples.csv").read_text()
    _csv(run, f"{whole}{line}\n")
    done = called(main, "compare", run, run)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr


def test_samples_are_as_many_as_the_document_counts(run: Path) -> None:
    _csv(run, (run.parent / "a.json.samples.csv").read_text(), count=41)
    done = called(main, "compare", run, run)
    assert done.returncode == 2
    assert "40 samples are not as many as counted" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--threads", "99"], 2, "--threads 99: from 1 to"),
        (["--threads", "two"], 2, "such as 2, or 1,2,4"),
        (["--runs", "0"], 2, "--runs: '0': a whole number from 1"),
        (["--duration", "-1"], 2, "--duration: '-1': seconds from 0 to"),
        (["--duration", "nan"], 2, "--duration: 'nan': seconds from 0 to"),
        (["--warmup", "inf"], 2, "--warmup: 'inf': seconds from 0 to"),
        (["--cooldown", "nan"], 2, "--cooldown: 'nan': seconds from 0 to"),
        (["--output", ""], 2, "--output: empty: name a path"),
        (["--output", "tests"], 2, "--output: tests: is a folder: name a file"),
        (["--output", "/dev/null"], 2, "--output: /dev/null: is not a regular file"),
        (["m2unet-fundus-544", "m2unet-fundus-544"], 2, "m2unet-fundus-544 fp32, 2 threads"),
        (["--threads", "0"], 2, "--threads 0: from 1 to"),
        (["--engines", "openvino"], 2, "'openvino': one or more of onnx,tvm; for others: bench"),
        (["--engines", "tvm"], 2, "--engines tvm: none of these artifacts is theirs"),
        (["--cores", "99"], 2, "core 99 is not one"),
        (["--image", "none.jpg"], 2, "none.jpg"),
        (["--image", "README.md"], 2, "README.md: not an image"),
        (["--output", "none/run.json"], 2, "none/run.json: no such folder"),
        (["none"], 2, "none: no such artifact"),
    ],
)
def test_wrong_calls_are_one_line(arguments: list[str], code: int, says: str) -> None:
    done = called(main, "latency", "--force", "--warmup", "0", *arguments)
    assert done.returncode == code
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_golden_image_without_a_fundus_asks_for_a_photograph(tmp_path: Path) -> None:
    done = _latency(write(tmp_path / "tiny"), "--allow-unsigned", "--runs", "1")
    assert done.returncode == 2
    assert "no field of view found in it: give a photograph with --image" in done.stderr


def test_no_command_and_help() -> None:
    assert python("-m", "bench").returncode == 2
    done = python("-m", "bench", "--help")
    assert (done.returncode, "latency" in done.stdout) == (0, True)
