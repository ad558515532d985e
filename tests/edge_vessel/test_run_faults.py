"""`python -m edge_vessel.run` with what is wrong: inputs, calls, artifacts, disks."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from artifact_folders import ROOT, TARGET, python, write
from needs import unavailable
from run_calls import TINY, run

from edge_vessel import artifact, models, signing
from edge_vessel.manifest import Target


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("missing.png", None, 2, "missing.png: no such file"),
        ("text.png", b"hello", 2, "text.png: not an image"),
        ("cut.png", _png(np.zeros((50, 50, 3)))[:60], 2, "cut.png: truncated"),
        ("one.png", _png(np.zeros((1, 1, 3))), 0, ""),
        ("grey16.png", _png(np.full((80, 80), 9000, np.uint16)), 0, ""),
        ("alpha.png", _png(np.full((80, 80, 4), 90, np.uint8)), 0, ""),
    ],
)
def test_inputs(tiny, tmp_path, name, content, code, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run("--input", tmp_path / name, *TINY, tiny, "--output", tmp_path / "o")
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    if code and (tmp_path / "o").exists():
        assert list((tmp_path / "o").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "no source: name a --camera or an --input"),
        (["--input", "."], 2, "no images in this folder"),
        (["--input", "synthetic:", "--threshold", "2"], 2, "'2': a probability between 0 and 1"),
        (["--input", "synthetic:", "--threads", "0"], 2, "'0': a whole number from 1"),
        (["--input", "synthetic:", "--threads", "two"], 2, "'two': a whole number from 1"),
        (["--input", "synthetic:", "--save", "masks"], 2, "mask, overlay, probability"),
        (["--input", "synthetic:", "--duration", "-1"], 2, "seconds, not negative"),
        (["--input", "synthetic:", "--max-frames", "0"], 2, "a whole number from 1"),
        (["--input", "synthetic:", "--serve", "8080"], 2, "HOST:PORT"),
        (["--input", "synthetic:", "--output", "/proc/nowhere"], 2, "/proc/nowhere"),
        (["--input", "synthetic:", "--jsonl", "/proc/x/f.jsonl"], 2, "/proc/x/f.jsonl"),
        (["--input", "synthetic:", "--json", "--jsonl", "-"], 2, "both write to stdout"),
        (["--input", "synthetic:", "--model", "nowhere"], 2, "nowhere: no such artifact"),
        (["--input", "synthetic:", "--trusted-key", "no.pem"], 2, "no.pem"),
        (["--input", ""], 2, "the input is empty"),
        (["--input", "synthetic:", "--output", ""], 2, "empty: name a path"),
        (["--input", "no\npe.jpg"], 2, "no\\npe.jpg"),
        (["--input", "\x1b[31mred.jpg"], 2, "\\x1b[31mred.jpg"),
        (["--input", "gopher://eye"], 2, "unknown scheme 'gopher'"),
        (["--camera", "41", "--camera-timeout", "0.3"], 3, "/dev/video41"),
        (["--camera", "0", "--camera-size", "big"], 2, "1920x1080"),
        (["--camera", "0", "--input", "x.png"], 2, "not allowed with"),
    ],
)
def test_wrong_calls_are_one_line(tmp_path, arguments, code, says):
    done = subprocess.run(
        [sys.executable, "-m", "edge_vessel.run", *arguments],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [x for x in done.stderr.splitlines() if "error: " in x]
    assert says in line


def test_a_port_in_use(tiny):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--input", "synthetic:", *TINY, tiny, "--serve", f"127.0.0.1:{port}")
    assert done.returncode == 3
    assert str(port) in done.stderr


def _changed_byte(folder: Path) -> None:
    content = bytearray((folder / "model.onnx").read_bytes())
    content[100] ^= 1
    (folder / "model.onnx").write_bytes(content)


def _missing_file(folder: Path) -> None:
    (folder / "golden.npz").unlink()


def _unsigned(folder: Path) -> None:
    (folder / "manifest.sig").unlink()


def _unknown_schema(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    assert '"schema_version": 1' in text
    changed = text.replace('"schema_version": 1', '"schema_version": 9')
    (folder / "manifest.json").write_text(changed)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_changed_byte, "model.onnx: was changed"),
        (_missing_file, "golden.npz"),
        (_unsigned, "there is no signature"),
        (_unknown_schema, "none of the 1 trusted keys"),
        (lambda _: None, ""),
    ],
    ids=["a changed byte", "a missing file", "no signature", "another schema", "sound"],
)
def test_artifacts(tmp_path, damage, says):
    _, public = signing.generate(tmp_path / "user")
    folder = write(tmp_path / "a", signing.load_private_key(tmp_path / "user.key"))
    damage(folder)
    done = run("--input", "synthetic:frames=1", "--model", folder, "--trusted-key", public,
               "--output", tmp_path / "o")  # fmt: skip
    assert done.returncode == (4 if says else 0), done.stderr
    assert says in done.stderr
    assert (tmp_path / "o").exists() != bool(says)


def test_an_unknown_schema_version_that_its_owner_signed(tmp_path):
    _, public = signing.generate(tmp_path / "user")
    key = signing.load_private_key(tmp_path / "user.key")
    folder = write(tmp_path / "a", key)
    _unknown_schema(folder)
    content = (folder / "manifest.json").read_bytes()
    (folder / "manifest.sig").write_bytes(signing.sign(content, key))
    done = run("--input", "synthetic:", "--model", folder, "--trusted-key", public)
    assert done.returncode == 4
    assert "schema_version: 9 is unknown" in done.stderr


def test_another_keys_signature_and_another_cpus_target(tmp_path):
    _, own = signing.generate(tmp_path / "own")
    signing.generate(tmp_path / "other")
    key = signing.load_private_key(tmp_path / "other.key")
    folder = write(tmp_path / "a", key)
    done = run("--input", "synthetic:", "--model", folder, "--trusted-key", own)
    assert done.returncode == 4
    assert "none of the 1 trusted keys" in done.stderr
    elsewhere = Target("riscv64-linux-gnu", "sifive-u74", (), TARGET.threads, TARGET.memory_mb)
    native = write(tmp_path / "b", signing.load_private_key(tmp_path / "own.key"), elsewhere)
    done = run("--input", "synthetic:", "--model", native, "--trusted-key", own)
    assert done.returncode == 4
    assert "riscv64" in done.stderr


def test_a_full_disk_ends_the_run_and_leaves_nothing_half_written(tiny, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(full)], check=False
        ).returncode
    ):
        unavailable("mounting a small file system needs root")
    try:
        done = run("--input", "synthetic:frames=50", *TINY, tiny, "--output", full)
        left = sorted(full.iterdir())
        assert done.returncode == 3
        assert "No space left on device" in done.stderr
        assert "p95 ms" in done.stdout, "the summary is printed all the same"
        assert all(cv2.imread(str(path)) is not None for path in left)
        assert not [path for path in left if path.name.startswith(".")]
    finally:
        subprocess.run(["umount", str(full)], check=True)


def test_lines_onto_a_full_disk_still_end_with_the_summary(tiny):
    done = run("--input", "synthetic:frames=3", *TINY, tiny, "--jsonl", "/dev/full")
    assert done.returncode == 3
    assert done.stderr.count("No space left on device") == 1
    assert "p95 ms" in done.stdout


@pytest.mark.parametrize(
    ("target", "code", "says"),
    [("/dev/full", 3, "stdout: cannot be written: No space left"), ("a pipe", 0, "")],
)
def test_stdout_that_cannot_be_written(tiny, target, code, says):
    command = [sys.executable, "-m", "edge_vessel.run", "--input", "synthetic:frames=2", *TINY]
    if target == "a pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(target, os.O_WRONLY)
    done = subprocess.run(
        [*command, str(tiny)], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_list_cameras_as_json():
    done = run("--list-cameras", "--json")
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), list)


def test_the_bundled_artifact_is_pinned_and_passes_its_self_test():
    done = python("-m", "edge_vessel.artifact", "verify", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trust"] == "pinned"
    for name in models.PINNED:
        assert artifact.open_artifact(models.resolve(Path(name)), ()).trust == "pinned"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--jsonl", "{photo}"), "is read or written already"),
        (("--metrics", "{photo}"), "is read or written already"),
        (("--jsonl", "{folder}/x", "--metrics", "{folder}/x"), "--metrics {folder}/x: is read or"),
    ],
)
def test_a_photograph_is_never_written_into(tmp_path: Path, more: tuple[str, ...], says: str):
    photo = tmp_path / "eye.jpg"
    content = (ROOT / "samples" / "chase_db1_07L.jpg").read_bytes()
    photo.write_bytes(content)
    named = {"photo": photo, "folder": tmp_path}
    done = python("-m", "edge_vessel.run", "--input", photo, *(one.format(**named) for one in more))
    assert done.returncode == 2
    assert says.format(**named) in done.stderr
    assert photo.read_bytes() == content
