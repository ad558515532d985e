"""`python -m edge_vessel.run` as its users call it: processes, files, signals, exit codes."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import cv2
import numpy as np
import pytest
from artifact_folders import ROOT
from run_calls import TINY, lines, run

from train.data.dataset import load
from train.data.drive import DRIVE


def test_the_samples_become_vessel_maps(tmp_path, samples):
    done = run("--input", samples, "--output", tmp_path, "--jsonl", tmp_path / "f.jsonl",
               "--save", "mask,overlay,probability")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pictures:" in done.stdout
    *frames, summary = lines(tmp_path / "f.jsonl")
    assert [frame["status"] for frame in frames] == ["ok"] * 3
    assert summary["type"] == "summary"
    assert summary["processed"] == 3
    assert summary["stages"]["total"]["p50_ms"] > 0
    for frame in frames:
        photograph = cv2.imread(str(samples / f"{frame['name']}.jpg"))
        mask = cv2.imread(str(tmp_path / f"{frame['name']}_mask.png"), cv2.IMREAD_UNCHANGED)
        probability = cv2.imread(
            str(tmp_path / f"{frame['name']}_probability.png"), cv2.IMREAD_UNCHANGED
        )
        assert mask.shape == photograph.shape[:2] == probability.shape
        assert probability.dtype == np.uint16
        assert 0.05 < frame["vessel_density"] < 0.25


@pytest.mark.data
def test_dice_on_a_photograph_of_drive_in_camera_pixels(tmp_path, data):
    record = DRIVE.records(data, "test")[0]
    done = run("--input", record.image, "--output", tmp_path, "--save", "mask")
    assert done.returncode == 0, done.stderr
    mask = cv2.imread(str(tmp_path / "01_test_mask.png"), cv2.IMREAD_UNCHANGED) > 0
    label = load(record).label
    dice = 2 * (mask & label).sum() / (mask.sum() + label.sum())
    assert mask.shape == label.shape
    assert dice >= 0.78


def test_json_is_one_document_and_nothing_else(tiny):
    done = run("--input", "synthetic:frames=3", *TINY, tiny, "--json", "--jsonl", os.devnull)
    document = json.loads(done.stdout)
    assert document["processed"] == 3
    assert document["power"]["kind"] in ("none", "measured", "estimated")
    assert "no trusted key signed it" in done.stderr


def test_without_a_meter_it_says_so_and_how_to_attach_one(tiny):
    done = run("--input", "synthetic:frames=2", *TINY, tiny, "--meter", "none", "--json")
    power = json.loads(done.stdout)["power"]
    assert (power["kind"], power["energy_j"]) == ("none", None)
    assert power["why"] == "no meter: switched off by --meter none"
    done = run("--input", "synthetic:frames=2", *TINY, tiny, "--meter", "none")
    assert "; power: no meter: switched off by --meter none" in done.stdout


def test_a_meter_of_ones_own(tiny):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"4.25 W\n")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/watts"
        done = run(
            "--input", "synthetic:", "--duration", "6", *TINY, tiny, "--meter", url, "--json"
        )
        server.shutdown()
    power = json.loads(done.stdout)["power"]
    assert (power["kind"], power["meter"]) == ("measured", f"meter at {url}")
    assert power["mean_power_w"] == pytest.approx(4.25)
    assert power["energy_j"] == pytest.approx(4.25 * power["duration_s"])


@pytest.mark.parametrize(
    ("spec", "code", "says"),
    [
        ("serial:/dev/ttyNONE", 3, "/dev/ttyNONE: no such port"),
        ("watts", 2, "--meter 'watts': unknown; choose from auto, none, hwmon"),
        ("http://meter.example/", 2, "with an IP address or localhost"),
    ],
)
def test_a_meter_that_cannot_be_had_ends_the_run_before_a_model_is_loaded(spec, code, says):
    done = run("--input", "synthetic:", *TINY, "/no/such/artifact", "--meter", spec)
    assert done.returncode == code
    assert says in done.stderr


def test_lines_on_stdout_leave_the_table_to_stderr(tiny):
    done = run("--input", "synthetic:frames=2", *TINY, tiny, "--jsonl", "-")
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == [
        "frame",
        "frame",
        "summary",
    ]
    assert "p95 ms" in done.stderr


def test_biomarkers_and_landmarks(tmp_path, samples):
    done = run("--input", samples / "chase_db1_07L.jpg", "--output", tmp_path,
               "--save", "landmarks", "--biomarkers", "--jsonl", tmp_path / "f.jsonl",
               "--model", "m2unet-fundus-544")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "analysis" in done.stdout
    frame, summary = lines(tmp_path / "f.jsonl")
    found = frame["biomarkers"]
    assert 0.08 < found["vessel_density"] < 0.2
    assert 4 < found["mean_calibre_px"] < 12
    assert 1 < found["tortuosity_distance"] < 1.2
    assert 1.2 < found["fractal_dimension"] < 1.7
    assert found["bifurcations"] > 20 > found["crossings"] > 0
    assert summary["stages"]["analysis"]["p50_ms"] > 0
    assert frame["ms"]["total"] > frame["ms"]["analysis"] > 0
    picture = cv2.imread(str(tmp_path / "chase_db1_07L_landmarks.png"))
    assert picture.shape == (frame["height"], frame["width"], 3)


def test_biomarkers_have_to_go_somewhere(tiny):
    done = run("--input", "synthetic:frames=1", *TINY, tiny, "--biomarkers")
    assert done.returncode == 2
    assert done.stderr == "error: --biomarkers go into the JSON lines: name a file with --jsonl\n"


def test_a_users_own_file_is_not_overwritten(tiny, tmp_path, samples):
    (tmp_path / "eye.jpg").write_bytes((samples / "chase_db1_07L.jpg").read_bytes())
    cv2.imwrite(str(tmp_path / "eye_mask.png"), np.full((80, 80), 9, np.uint8))
    before = (tmp_path / "eye_mask.png").read_bytes()
    done = run("--input", tmp_path, "--output", tmp_path / "o", *TINY, tiny)
    assert done.returncode == 0
    assert "left out as results of an earlier run: 1" in done.stderr
    done = run("--input", tmp_path, "--output", tmp_path, *TINY, tiny)
    assert done.returncode == 2
    assert "holds the photographs: name another --output" in done.stderr
    assert (tmp_path / "eye_mask.png").read_bytes() == before


def test_a_synthetic_stream_leaves_no_files(tiny, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "edge_vessel.run", "--input", "synthetic:frames=3", *TINY, tiny],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_files_go_to_a_folder_even_when_none_is_named(tiny, tmp_path, samples):
    done = subprocess.run(
        [sys.executable, "-m", "edge_vessel.run", "--input", samples / "chase_db1_07L.jpg",
         *TINY, tiny],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert sorted(p.name for p in (tmp_path / "vessels").iterdir()) == [
        "chase_db1_07L_mask.png",
        "chase_db1_07L_overlay.png",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_frame_and_prints_the_summary(tiny, tmp_path, number):
    path = tmp_path / "f.jsonl"
    command = [sys.executable, "-m", "edge_vessel.run", "--input", "synthetic:fps=20"]
    process = subprocess.Popen(
        [*command, *TINY, str(tiny), "--jsonl", str(path), "--output", str(tmp_path / "o")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text().count("\n") >= 3):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "p95 ms" in out
    *frames, summary = lines(path)
    assert summary["type"] == "summary"
    masks = {p.name for p in (tmp_path / "o").glob("*_mask.png")}
    assert len(masks) == len(frames) == summary["processed"]
    assert not [p for p in (tmp_path / "o").iterdir() if p.name.startswith(".")]


def test_the_preview_is_served(tiny):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "edge_vessel.run", "--input", "synthetic:fps=20"]
    process = subprocess.Popen(
        [*command, *TINY, str(tiny), "--serve", f"127.0.0.1:{port}"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        frames, deadline = 0, time.monotonic() + 60
        while frames < 2 and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/status") as answer:
                    frames = json.load(answer)["frames"]
            except OSError:
                time.sleep(0.1)
        assert frames >= 2
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert f"preview: http://127.0.0.1:{port}/" in err
