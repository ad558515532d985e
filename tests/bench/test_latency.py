"""Latency of real artifacts in real processes, its file, and what is made of two of them."""

import json
from pathlib import Path

import jsonschema
import pytest
from artifact_folders import ROOT, python, write

SCHEMA = json.loads((ROOT / "bench" / "schema" / "run.schema.json").read_text())
TINY = ["--allow-unsigned", "--image", ROOT / "samples" / "chase_db1_07L.jpg"]


def _latency(*arguments: str | Path):
    return python("-m", "bench", "latency", *arguments, "--force", "--warmup", "0")


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
    lines = (tmp_path / document["samples"]).read_text().splitlines()
    assert lines[0] == "case,preprocess_ms,inference_ms,postprocess_ms"
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
    assert {case["stages"]["total"]["count"] for case in document["cases"]} == {55}, (
        "5 rounds of 11"
    )
    assert document["samples"] is None
    done = python("-m", "bench", "compare", both, both, "--json")
    assert (done.returncode, [c["ratio"]["median"] for c in json.loads(done.stdout)]) == (0, [1, 1])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 40 samples around 10 ms."""
    path = tmp_path / "a.json"
    done = _latency(write(tmp_path / "tiny"), *TINY, "--runs", "1", "--output", path)
    assert done.returncode == 0, done.stderr
    _samples(path, 10.0)
    return path


def _samples(path: Path, middle_ms: float) -> None:
    rows = "".join(f"0,1,{middle_ms * (1 + 0.01 * (n % 5)):.4f},1\n" for n in range(40))
    path.with_suffix(".samples.csv").write_text(
        f"case,preprocess_ms,inference_ms,postprocess_ms\n{rows}"
    )


def _changed(run: Path, name: str, middle_ms: float, **machine: str) -> Path:
    path = run.parent / name
    document = json.loads(run.read_text())
    document["samples"] = path.with_suffix(".samples.csv").name
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
    done = python("-m", "bench", "compare", run, _changed(run, "b.json", middle_ms), *more)
    assert done.returncode == code, done.stderr
    assert word in done.stdout


def test_machines_do_not_compare_unless_told(run: Path) -> None:
    other = _changed(run, "b.json", 10.0, cpu="4x Cortex-A72")
    done = python("-m", "bench", "compare", run, other)
    assert done.returncode == 2
    assert "another machine: cpu '4x Cortex-A72'" in done.stderr
    assert python("-m", "bench", "compare", run, other, "--across-machines").returncode == 0


def test_damaged_runs_are_one_line(run: Path) -> None:
    def fails(says: str) -> None:
        done = python("-m", "bench", "compare", run, run)
        assert done.returncode == 2
        assert says in done.stderr
        assert done.stderr.count("\n") == 1

    samples = run.with_suffix(".samples.csv")
    whole = samples.read_text()
    samples.write_text(whole.splitlines()[0] + "\n")
    fails("has no samples of tiny-16")
    samples.unlink()
    fails("No such file")
    samples.write_text(whole)
    document = json.loads(run.read_text())
    run.write_text(json.dumps(document | {"schema_version": 9}))
    fails("schema version 9")
    run.write_text("{")
    fails("not a run of this version's bench: is not JSON")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--threads", "99"], 2, "--threads 99: from 1 to"),
        (["--threads", "two"], 2, "such as 2, or 1,2,4"),
        (["--runs", "0"], 2, "--runs 0: 1 or more"),
        (["--duration", "-1"], 2, "--duration -1.0: 0 s or more"),
        (["--cores", "99"], 2, "core 99 is not one"),
        (["--image", "none.jpg"], 2, "none.jpg"),
        (["--image", "README.md"], 2, "README.md: not an image"),
        (["--output", "none/run.json"], 2, "none/run.json: no such folder"),
        (["none"], 2, "none: no such artifact"),
    ],
)
def test_wrong_calls_are_one_line(arguments: list[str], code: int, says: str) -> None:
    done = _latency(*arguments)
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
