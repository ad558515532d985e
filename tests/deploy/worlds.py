"""Bundles, and this system with folders of its own for what an installation writes."""

import os
import re
import subprocess
import tarfile
from pathlib import Path

from artifact_folders import python
from needs import unavailable

from deploy.archive import SUMS, SUMS_SIGNATURE, pack
from edge_vessel import signing

# The root folder as it is, but for what an installation writes to.
WORLD = """
set -e
mount --rbind / {root}
for folder in /etc /usr/local/bin; do
  mkdir -p {copies}$folder
  cp -a $folder/. {copies}$folder/
  mount --bind {copies}$folder {root}$folder
done
mount -t tmpfs -o size={opt} none {root}/opt
mount -t tmpfs none {root}/var/lib
mount -t tmpfs none {root}/run
exec chroot {root} sh -c '{command}'
"""


def bundle(output: Path, artifact: Path, keys: tuple[Path, Path], target: str, *more: str) -> Path:
    """Made by the command, with a name that shells and rsync could take amiss."""
    done = python(
        "-m", "deploy", "bundle", "--artifact", artifact, "--target", target, "--key", keys[0],
        "--trust", keys[1], "-o", output, *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"\.tar: \d+\.\d MB, \d+ wheels, tiny-16, for ", done.stdout)
    return output


def unpack(bundle: Path, folder: Path) -> Path:
    with tarfile.open(bundle) as archive:
        archive.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    return found


def with_artifact(made: Path, output: Path, artifact: Path, key: Path) -> Path:
    """The bundle `made` with another artifact and without the kiosk, signed again: its wheels are
    not fetched a second time."""
    folder = unpack(made, output.with_suffix(".unpacked"))
    files: dict[str, bytes | Path] = {
        str(one.relative_to(folder)): one for one in folder.rglob("*") if one.is_file()
    }
    for name in (SUMS, SUMS_SIGNATURE):
        del files[name]
    for one in artifact.iterdir():
        files[f"artifacts/tiny-16/{one.name}"] = one
    settings = (folder / "bundle.conf").read_text()
    files["bundle.conf"] = settings.replace("kiosk=yes", "kiosk=no").encode()
    pack(output, folder.name, files, signing.load_private_key(key), epoch=0)
    return output


def world(tmp_path: Path, command: str, opt: str = "1g") -> list[str]:
    """The command line that runs `command` as root, /opt, /var/lib, /etc and /run its own."""
    root, copies = tmp_path / "root", tmp_path / "copies"
    for folder in (root, copies):
        folder.mkdir(exist_ok=True)
    script = WORLD.format(root=root, copies=copies, opt=opt, command=command)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


def environment() -> dict[str, str]:
    """Root's programs are found, and the system's Python first: another may be root's alone, and
    the service's user could not run it."""
    return {**os.environ, "PATH": f"/usr/local/bin:/usr/bin:/usr/sbin:/sbin:{os.environ['PATH']}"}


def in_a_world(tmp_path: Path, command: str, opt: str = "1g") -> subprocess.CompletedProcess[str]:
    """Runs it to its end."""
    done = subprocess.run(
        world(tmp_path, command, opt),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env=environment(),
    )
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        unavailable(f"a mount namespace of its own takes root: {done.stderr[:200]}")
    return done
