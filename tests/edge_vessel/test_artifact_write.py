"""Writing and signing an artifact: what was there stays whole, whatever happens on the way."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from artifact_folders import ROOT, files, flip, manifest, python, write
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from needs import unavailable

from edge_vessel import artifact as artifacts
from edge_vessel import signing
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import ArtifactError, DeviceError, EdgeVesselError, UsageError
from edge_vessel.manifest import MANIFEST, SIGNATURE

KEY = Ed25519PrivateKey.generate()
OTHER_KEY = Ed25519PrivateKey.generate()
TRUSTED = (KEY.public_key(),)
FINGERPRINT = signing.fingerprint(KEY.public_key())


@dataclass
class WriteCase:
    name: str
    prepare: Callable[[Path], object]
    overwrite: bool
    error: type[EdgeVesselError] | None


def strange(path: Path) -> None:
    (path / "photos").mkdir(parents=True)
    (path / MANIFEST).write_text("{}")


WRITE_CASES = [
    WriteCase("new", lambda _: None, False, None),
    WriteCase("new, overwrite", lambda _: None, True, None),
    WriteCase("exists", lambda p: write(p, KEY), False, UsageError),
    WriteCase("exists, overwrite", lambda p: write(p, KEY), True, None),
    WriteCase("exists and is empty", lambda p: p.mkdir(), False, UsageError),
    WriteCase("empty, overwrite", lambda p: p.mkdir(), True, UsageError),
    WriteCase("a file, overwrite", lambda p: p.write_text("x"), True, UsageError),
    WriteCase("holds folders, overwrite", strange, True, UsageError),
    WriteCase("a link, overwrite", lambda p: p.symlink_to("/etc"), True, UsageError),
    WriteCase("a dangling link", lambda p: p.symlink_to("/nowhere"), True, UsageError),
]


@pytest.mark.parametrize("case", WRITE_CASES, ids=lambda case: case.name)
def test_write(case, tmp_path):
    path = tmp_path / "tiny"
    case.prepare(path)
    if case.error is not None:
        with pytest.raises(case.error):
            artifacts.write(path, manifest(version=2), files(), KEY, case.overwrite)
    else:
        artifacts.write(path, manifest(version=2), files(), KEY, case.overwrite)
        assert open_artifact(path, TRUSTED).manifest.version == 2
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "tiny"] == []


@pytest.mark.parametrize("name", ["../x", "/etc/x", ".x", "a/b", "", MANIFEST, SIGNATURE])
def test_a_bad_file_name_is_not_written(name, tmp_path):
    with pytest.raises(ArtifactError):
        artifacts.write(tmp_path / "tiny", manifest(), {name: b"x"}, KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_parent_is_a_device_error(tmp_path):
    with pytest.raises(DeviceError, match="cannot be written"):
        artifacts.write(tmp_path / "no" / "tiny", manifest(), files(), KEY)


WRITER = """
import sys
from pathlib import Path
from artifact_folders import manifest
from edge_vessel import artifact
from edge_vessel.errors import EdgeVesselError
if sys.argv[2] == "limit":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    files = {"model.onnx": bytes(1_000_000)}
    artifact.write(Path(sys.argv[1]), manifest(version=2), files, None, overwrite=True)
except EdgeVesselError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def writer(path: Path, limit: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + WRITER
    return python("-c", program, path, limit)


@pytest.mark.parametrize("existing", [False, True], ids=["new", "overwrite"])
def test_a_file_size_limit_leaves_what_was_there(existing, tmp_path):
    path = tmp_path / "tiny"
    if existing:
        write(path, KEY)
    result = writer(path, "limit")
    assert result.returncode == DeviceError.exit_code, result.stderr
    assert "File too large" in result.stderr
    assert list(tmp_path.iterdir()) == ([path] if existing else [])
    assert not existing or open_artifact(path, TRUSTED).manifest.version == 1


def test_a_full_disk_leaves_what_was_there(tmp_path):
    if os.geteuid() != 0:
        unavailable("mounting a small tmpfs needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        unavailable("this container may not mount a tmpfs")
    try:
        path = write(tmp_path / "tiny", KEY)
        result = writer(path, "none")
        assert result.returncode == DeviceError.exit_code, result.stderr
        assert "No space left" in result.stderr
        assert list(tmp_path.iterdir()) == [path]
        assert open_artifact(path, TRUSTED).manifest.version == 1
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


ENDLESS = """
import itertools
import sys
from pathlib import Path
from artifact_folders import files, manifest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edge_vessel import artifact
key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(sys.argv[2]))
content = files()
for version in itertools.count(2):
    artifact.write(Path(sys.argv[1]), manifest(version=version), content, key, overwrite=True)
    print(version, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_artifact(tmp_path):
    path = write(tmp_path / "tiny", KEY)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
    for kill_after in (1, 2, 3, 5, 8):
        process = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(path), KEY.private_bytes_raw().hex()],
            env=environment,
            stdout=subprocess.PIPE,
        )
        for _ in range(kill_after):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert open_artifact(path, TRUSTED).manifest.version >= 1


def test_the_folder_is_never_missing_while_it_is_overwritten(tmp_path):
    path = write(tmp_path / "tiny", KEY)
    stop, inodes, faults = threading.Event(), set(), []

    def watch() -> None:
        while not stop.is_set():
            try:
                inodes.add(path.stat().st_ino)
            except OSError as error:
                faults.append(error)

    reader = threading.Thread(target=watch)
    reader.start()
    for version in range(2, 60):
        artifacts.write(path, manifest(version=version), files(), KEY, overwrite=True)
    stop.set()
    reader.join()
    assert faults == []
    assert len(inodes) > 1


def test_sign_in_place(tmp_path):
    folder = write(tmp_path / "tiny")
    assert artifacts.sign(folder, KEY).trust == f"signed by {FINGERPRINT}"
    assert open_artifact(folder, TRUSTED).trust == f"signed by {FINGERPRINT}"
    artifacts.sign(folder, OTHER_KEY)
    with pytest.raises(ArtifactError):
        open_artifact(folder, TRUSTED)


def test_damage_is_not_signed(tmp_path):
    folder = write(tmp_path / "tiny")
    flip(folder / "model.onnx", 0)
    with pytest.raises(ArtifactError, match="was changed"):
        artifacts.sign(folder, KEY)
    assert not (folder / SIGNATURE).exists()
