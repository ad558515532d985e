"""A bundle goes over a real sshd on loopback into a world of its own, and is installed there."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from artifact_folders import files, golden_pair, manifest, npz, python
from needs import unavailable
from worlds import environment, with_artifact, world

from edge_vessel import artifact, signing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
UsePAM no
# Whatever root's own .bashrc puts first.
ForceCommand PATH={path} sh -c "$SSH_ORIGINAL_COMMAND"
"""


@dataclass(frozen=True)
class Remote:
    """An sshd, and the flags that reach it."""

    folder: Path
    port: int
    staging: str = "/opt/staging"

    def push(self, made: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
        return python(
            "-m", "deploy", "push", "root@127.0.0.1", f"--bundle={made}", "--port", str(self.port),
            "--identity", self.folder / "user", "--staging", self.staging,
            "--ssh-option", f"UserKnownHostsFile={self.folder}/known",
            "--install-flag=--no-service", *more,
        )  # fmt: skip

    def run(self, command: str) -> str:
        known = f"UserKnownHostsFile={self.folder}/known"
        ssh = ["ssh", "-p", str(self.port), "-i", str(self.folder / "user"), "-o", known]
        done = subprocess.run(
            [*ssh, "root@127.0.0.1", command], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    sshd = shutil.which("sshd", path=environment()["PATH"])
    if sshd is None or shutil.which("rsync") is None or os.geteuid():
        unavailable("root, apt install openssh-server rsync")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host = (folder / "host.pub").read_text().split()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host[0]} {host[1]}\n")
    path = environment()["PATH"]
    (folder / "sshd.conf").write_text(SERVER.format(port=port, folder=folder, path=path))
    command = f"mkdir -p /run/sshd; exec {sshd} -D -e -f {folder}/sshd.conf"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(world(folder, command), stderr=log, env=environment())
    try:
        deadline = time.monotonic() + 30
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if process.poll() is not None:
                unavailable(f"no sshd in a world: {(folder / 'log').read_text()[:300]}")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Remote(folder, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def test_pushed_broken_off_gone_on_and_a_bad_one_changes_nothing(
    remote: Remote, made: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    # What a push that broke off has left: half of the file, under its hash.
    digest, half = hashlib.sha256(made.read_bytes()).hexdigest(), tmp_path / "half.tar"
    half.write_bytes(made.read_bytes()[: made.stat().st_size // 2])
    remote.run(f"mkdir -p /opt/staging; cp {half} /opt/staging/{digest[:32]}.tar")
    odd = tmp_path / "-a b:c $(touch x).tar"
    odd.symlink_to(made)
    done = remote.push(odd, "--trusted-key", keys[1])
    assert done.returncode == 0, done.stderr
    assert "installed 0.1.0 for x86_64; runs tiny-16" in done.stdout
    status = remote.run(
        "edge-vessel slots status; ls /opt/staging; readlink /opt/edge-vessel/current"
    )
    assert "tiny-16" in status
    assert "edge-vessel-0.1.0-x86_64" not in status, "what was unpacked is gone"

    # A newer artifact that fails its self-test, signed and whole.
    remote.run("edge-vessel slots confirm")
    image, probability = golden_pair()
    whole = files() | {"golden.npz": npz(image=image, probability=1 - probability)}
    key = signing.load_private_key(keys[0])
    bad = artifact.write(tmp_path / "bad", manifest(version=2), whole, key)
    again = with_artifact(made, tmp_path / "b.tar", bad, keys[0])
    done = remote.push(again, "--trusted-key", keys[1])
    assert done.returncode == 4, done.stderr
    assert "error: root@127.0.0.1: " in done.stderr
    assert "self-test" in done.stderr
    after = remote.run("readlink /opt/edge-vessel/current; edge-vessel slots status")
    assert after.splitlines()[0] == status.splitlines()[-1], "the release before runs"
    done = remote.push(made, "--trusted-key", keys[1])
    assert done.returncode == 0, "what failed stands in nobody's way"


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ((), 4, "no trusted key signed it: name the maker's"),
        (("--port", "1"), 3, "root@127.0.0.1: "),
        (("--ssh-option", "UserKnownHostsFile=/dev/null"), 3, "Host key verification failed"),
        (("--identity", "none"), 3, "root@127.0.0.1: "),
    ],
)
def test_faults_are_one_line(
    remote: Remote, made: Path, keys: tuple[Path, Path], change: tuple[str, ...], code: int,
    says: str,
) -> None:  # fmt: skip
    trust = () if not change else ("--trusted-key", keys[1])
    if change[:1] == ("--ssh-option",):
        # ssh takes the first value of an option.
        done = python(
            "-m", "deploy", "push", "root@127.0.0.1", "--bundle", made, "--port",
            str(remote.port), "--identity", remote.folder / "user", *change, *trust,
        )  # fmt: skip
    else:
        done = remote.push(made, *trust, *change)
    assert done.returncode == code, done.stderr
    assert says in done.stderr.splitlines()[-1]
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr


def test_a_changed_bundle_is_not_sent(made: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    content = bytearray(made.read_bytes())
    content[len(content) // 2] ^= 1
    changed, cut, none = (tmp_path / name for name in ("changed.tar", "cut.tar", "none.tar"))
    changed.write_bytes(content)
    cut.write_bytes(content[: len(content) // 3])
    for file, code, says in (
        (changed, 4, "is damaged: "),
        (cut, 2, "is no bundle: unexpected end"),
        (none, 2, "none.tar: no such file"),
        (tmp_path, 2, "no such file"),
    ):
        done = python(
            "-m", "deploy", "push", "root@127.0.0.1", "--bundle", file, "--trusted-key", keys[1]
        )
        assert done.returncode == code, done.stderr
        assert says in done.stderr
        assert done.stderr.count("\n") == 1
