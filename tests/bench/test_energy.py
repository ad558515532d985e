"""Energy of real artifacts in real processes, by a meter over HTTP on loopback."""

import csv
import hashlib
import json
from pathlib import Path

import jsonschema
import pytest
from artifact_folders import ROOT, called, python, write
from window_meter import Watts, serving

from bench import run_file
from bench.__main__ import main
from bench.run_file import EnergyRun
from edge_vessel.errors import UsageError

SCHEMA = json.loads((ROOT / "bench" / "schema" / "run.schema.json").read_text())
TINY = ["--allow-unsigned", "--image", ROOT / "samples" / "chase_db1_07L.jpg"]
# Idle, a case, idle, a case, idle; window 0 is the search for the meter.
WATTS = (4.0, 4.0, 9.0, 4.4, 10.0, 4.4)


def _energy(*arguments: str | Path):
    return python("-m", "bench", "energy", *arguments)


def _short(artifact: Path, meter: str, *more: str | Path):
    """Windows of 0.8 s, and a pause by which the meter tells them apart."""
    times = ["--idle", "0.8", "--duration", "0.8", "--warmup", "1", "--meter-rate", "30"]
    return _energy(artifact, *TINY, *times, "--force", "--meter", meter, *more)


def _check(document: dict) -> None:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMA, format_checker=checker).validate(document)


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cases by a meter of 1 %, long enough for a comparison's 20 runs on a busy machine."""
    folder = tmp_path_factory.mktemp("energy")
    path = folder / "run.json"
    with serving(lambda window, _: WATTS[window]) as url:
        done = _short(
            write(folder / "tiny"), f"{url},accuracy=1", "--threads", "1,2", "--output", path,
            "--duration", "2.4",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "published, not ours" in done.stdout
    assert "9.000 ± 0.090" in done.stdout
    assert "power measured by meter at http://127.0.0.1:" in done.stdout
    assert done.stderr.count("short windows") == 2
    return path


def test_watts_and_joules_with_their_errors(run_path: Path) -> None:
    document = json.loads(run_path.read_text())
    _check(document)
    assert document["meter"]["kind"] == "measured"
    assert document["meter"]["asked_hz"] == 30
    expected = ((9.0, 4.2, 0.4), (10.0, 4.4, 0.0))
    for case, (loaded_w, idle_w, drift_w) in zip(document["cases"], expected, strict=True):
        found = case["energy"]
        each_s = found["loaded"]["duration_s"] / found["inferences"]
        idle_error_w = 0.01 * idle_w + drift_w / 2
        for name, value, error in (
            ("idle_power_w", idle_w, idle_error_w),
            ("loaded_power_w", loaded_w, 0.01 * loaded_w),
            ("per_inference_j", loaded_w * each_s, 0.01 * loaded_w * each_s),
            (
                "above_idle_per_inference_j",
                (loaded_w - idle_w) * each_s,
                (0.01 * loaded_w + idle_error_w) * each_s,
            ),
            ("inferences_per_j", 1 / (loaded_w * each_s), 0.01 / (loaded_w * each_s)),
        ):
            assert found[name]["value"] == pytest.approx(value, rel=2e-3), name
            assert found[name]["uncertainty"] == pytest.approx(error, rel=2e-3), name
        assert found["idle_drift_w"] == pytest.approx(drift_w, abs=1e-6)
        assert found["inferences"] == case["stages"]["total"]["count"]
        assert (found["short"], found["why"]) == (True, None)
        assert found["loaded"]["duration_s"] >= 0.8


def test_the_trace_names_every_window(run_path: Path) -> None:
    document = json.loads(run_path.read_text())
    with (run_path.parent / document["trace"]["file"]).open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["time_s", "power_w", "window"]
    times = [float(row["time_s"]) for row in rows]
    assert times == sorted(times)
    said = {row["window"]: float(row["power_w"]) for row in rows}
    assert said == {"idle 0": 4.0, "case 0": 9.0, "idle 1": 4.4, "case 1": 10.0, "idle 2": 4.4}
    first, second = (case["energy"] for case in document["cases"])
    assert first["idle_after"] == second["idle_before"]
    counted = [row["window"] for row in rows].count("case 0")
    assert abs(counted - first["loaded"]["samples"]) <= 1


def test_a_report_shows_power_and_draws_it(run_path: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.png", "a.md", "a.html")]
    done = called(main, "report", run_path, "--png", files[0], "--markdown", files[1], "--html",
        files[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no meter" not in done.stdout
    told = files[1].read_text()
    assert "9.000 ± 0.090 W" in told
    assert "J per inference above idle, measured by meter at http://127.0.0.1:" in told
    assert "short windows" in told
    rows = [line.split(" | ") for line in told.splitlines() if " | measured | " in line]
    found = run_file.read(run_path)
    assert isinstance(found, EnergyRun)
    for case in found.cases:
        energy = case.energy
        figures = (energy.per_inference_j, energy.above_idle_per_inference_j)
        powers = [
            str(energy.idle_power_w),
            f"{energy.idle_drift_w:+.3f}",
            str(energy.loaded_power_w),
        ]
        cells = ["16x16", "measured", str(energy.inferences), *powers, *map(str, figures)]
        assert [f"| {case.title}", *cells, f"{energy.inferences_per_j} |"] in rows
    (paper,) = [line for line in told.splitlines() if "(published, not ours)" in line]
    assert paper.split(" | ")[1:7] == ["", "published", "", "3.6", "", "9.6"]
    assert "Latency and power" in files[2].read_text()
    assert files[0].stat().st_size > 10_000


def test_its_latencies_compare(run_path: Path) -> None:
    done = called(main, "compare", run_path, run_path, "--json")
    ratios = [one["ratio"]["median"] for one in json.loads(done.stdout)]
    assert (done.returncode, ratios) == (0, [1, 1])


def _as_latency(document: dict) -> None:
    document["command"] = "latency"


def _as_latency_but_for_a_case(document: dict) -> None:
    document["command"] = "latency"
    for name in ("meter", "idle_s", "duration_s", "trace"):
        del document[name]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_as_latency, "meter.* is an unknown field"),
        (_as_latency_but_for_a_case, "energy.* is an unknown field"),
        (lambda document: document.pop("meter"), "meter: is missing"),
        (lambda document: document["cases"][1].pop("energy"), "energy: is missing"),
        (lambda document: document["meter"].update(kind="none"), "'none' is not one of"),
    ],
)
def test_energy_belongs_to_runs_of_energy(run_path: Path, tmp_path: Path, change, says) -> None:
    document = json.loads(run_path.read_text())
    change(document)
    with pytest.raises(jsonschema.ValidationError):
        _check(document)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=says):
        run_file.read(other)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "run.json.trace.csv: cannot be read: No such file or directory"),
        ("time_s,power_w\n1,2\n", "run.json.trace.csv: line 1: not time_s,power_w,window"),
        ("time_s,power_w,window\n1,many,idle 0\n", "no readings in ['1', 'many', 'idle 0']"),
        ("time_s,power_w,window\n1,nan,idle 0\n", "no readings in ['1', 'nan', 'idle 0']"),
    ],
)
def test_a_damaged_trace_is_one_line(
    run_path: Path, tmp_path: Path, content: str | None, says: str
) -> None:
    for path in run_path.parent.glob("run.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    trace, path = tmp_path / "run.json.trace.csv", tmp_path / "run.json"
    trace.unlink()
    if content is not None:
        trace.write_text(content)
        document = json.loads(path.read_text())
        document["trace"]["sha256"] = hashlib.sha256(content.encode()).hexdigest()
        path.write_text(json.dumps(document))
    done = called(main, "report", tmp_path / "run.json")
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def _gone_in(lost: int) -> Watts:
    """Away for good from the fifth reading of a window on."""
    return lambda window, count: None if (window, count) > (lost, 4) else WATTS[window]


@pytest.mark.parametrize(
    ("lost", "says"),
    [(2, "no joules: case 0: http://"), (3, "nothing above idle: idle 1: http://")],
)
def test_a_meter_that_vanishes_costs_the_joules_alone(tmp_path: Path, lost: int, says: str) -> None:
    path = tmp_path / "run.json"
    with serving(_gone_in(lost)) as url:
        done = _short(write(tmp_path / "tiny"), url, "--output", path, "--json")
    assert done.returncode == 0, done.stderr
    assert says in done.stderr
    assert "is the meter on?" in done.stderr
    document = json.loads(path.read_text())
    _check(document)
    (case,) = document["cases"]
    assert case["stages"]["total"]["count"] > 1
    found = case["energy"]
    assert (found["per_inference_j"] is None) == (lost == 2)
    assert found["above_idle_per_inference_j"] is None
    assert "is the meter on?" in found["why"]
    done = called(main, "report", path, "--png", tmp_path / "a.png")
    assert done.returncode == 0, done.stderr
    assert ("no joules" in done.stdout) == (lost == 2)


def test_drift_is_told(tmp_path: Path) -> None:
    """A board that goes on warming up: what inference adds drowns in it."""
    with serving(lambda window, count: 4.0 + window) as url:
        done = _short(write(tmp_path / "tiny"), url)
    assert done.returncode == 0, done.stderr
    assert "idle power drifted by +2 W, the work adds 0 W; let the board settle" in done.stderr
    assert "+2.000" in done.stdout
    assert "±" not in done.stdout, "the meter's accuracy is not known"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--duration", "5"], 2, "--duration 5: 30 s or more, or a short window all the same"),
        (["--idle", "5"], 2, "--idle 5: 30 s or more"),
        (["--duration", "nan"], 2, "--duration: 'nan': seconds from 0 to"),
        (["--idle", "-1", "--force"], 2, "--idle: '-1': seconds from 0 to"),
        (["--idle", "1e300"], 2, "--idle: '1e300': seconds from 0 to"),
        (["--meter-rate", "0"], 2, "--meter-rate: '0': Hz from 0.001 to 1000"),
        (["--meter-rate", "nan"], 2, "--meter-rate: 'nan': Hz from"),
        (["--meter", "ina226"], 2, "--meter 'ina226': unknown; choose from auto"),
        (["--meter", "none"], 3, "no meter: switched off by --meter none; attach one, such as"),
        (["--meter", "hwmon:no-such-chip"], 3, "attach one, such as an INA226"),
        (["--meter", "http://127.0.0.1:1/watts"], 3, "Connection refused; is the meter on?"),
        (["--threads", "99"], 2, "--threads 99: from 1 to"),
        (["--output", "none/run.json"], 2, "none/run.json: no such folder"),
    ],
)
def test_wrong_calls_and_no_meter_are_one_line(arguments: list[str], code: int, says: str) -> None:
    done = called(main, "energy", *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
