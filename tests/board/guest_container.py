"""Runs on the board: follows deploy/Containerfile in a root folder, and runs what came out as
`podman run` would be told to. Told in JSON lines that the host's test judges.

    guest_container.py RECIPE CONTEXT

No engine is here: instructions that the recipe does not use, and other forms of them, are unknown
and end it. The kernel does the rest as it does for an engine: mounts, namespaces, capabilities.
"""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

BASE = "python:3.11-slim-bookworm"
PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin"
MODEL = "m2unet-fundus-544"
BUILD = """
mount --bind "$1" "$2"
mount -o remount,bind,ro "$2"
mount -t proc proc "$0/proc"
mount --bind /dev "$0/dev"
exec env -i {path} HOME=/root chroot "$0" sh -c "$3"
"""
# --read-only --cap-drop all --security-opt no-new-privileges --device /dev/video0 --tmpfs /tmp
# --volume; --network none is a namespace of its own.
START = """
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount -t sysfs -o ro sys "$0/sys"
mount -t tmpfs tmpfs "$0/tmp"
mount -t tmpfs -o mode=755 tmpfs "$0/dev"
cp -a /dev/null /dev/zero /dev/urandom /dev/video0 "$0/dev/"
mount --bind "$1" "$0$2"
mount -o remount,bind,ro "$0"
user=$3 group=$4 folder=$5
shift 5
exec env -i {path} HOME="$folder" chroot "$0" setpriv --reuid "$user" --regid "$group" \\
  --init-groups --no-new-privs --bounding-set -all --inh-caps -all \\
  env -C "$folder" "$@"
"""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each with what follows it, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            yield word, rest.strip()


class Container:
    """An image in folder `root`, of the files in `context`, and its one volume."""

    def __init__(self, root: Path, context: Path) -> None:
        self._root, self._context = root, context
        self._user, self._folder, self._volume = 0, "/", ""
        self.entry_point: list[str] = []
        self.command: list[str] = []

    def follow(self, word: str, rest: str) -> None:
        """One instruction. Raises ValueError where it is unknown here."""
        known = {
            "FROM": self._from, "RUN": self._run, "COPY": self._copy, "USER": self._set_user,
            "WORKDIR": self._set_folder, "VOLUME": self._set_volume,
            "ENTRYPOINT": self._set_entry_point, "CMD": self._set_command,
        }  # fmt: skip
        if word not in known:
            raise ValueError(f"{word} {rest}: is unknown here")
        known[word](rest)

    def _from(self, name: str) -> None:
        """This board's Debian 12 and its Python 3.11, with pip and without any other package."""
        if name != BASE:
            raise ValueError(f"FROM {name}: there is {BASE} alone")
        for inside in ("dev", "proc", "run", "sys", "tmp", "usr/local/bin"):
            (self._root / inside).mkdir(parents=True)
        for inside in ("bin", "sbin", "lib"):
            (self._root / inside).symlink_to(f"usr/{inside}")
        call("cp", "-a", "/etc", "/var", self._root)
        # Linked, not copied: nothing that is in use is written into.
        rest = [one for one in Path("/usr").iterdir() if one.name != "local"]
        call("cp", "-al", *rest, self._root / "usr")
        (self._root / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink(missing_ok=True)
        (self._root / "usr/local/bin/python").symlink_to("/usr/bin/python3.11")
        (pip,) = self._context.glob("wheels/pip-*.whl")
        with zipfile.ZipFile(pip) as archive:
            archive.extractall(self._root / "usr/local/lib/python3.11/dist-packages")

    def _run(self, rest: str) -> None:
        found = re.fullmatch(r"--mount=type=bind,source=([^, ]+),target=(/[^, ]+) +(.+)", rest)
        if found is None or self._user:
            raise ValueError(f"RUN {rest}: is unknown here, or not root's")
        inside = self._root / found[2][1:]
        inside.mkdir()
        script = "set -e" + BUILD.format(path=PATH)
        source = self._context / found[1]
        call("unshare", "--mount", "sh", "-c", script, self._root, source, inside, found[3])
        inside.rmdir()

    def _copy(self, rest: str) -> None:
        found = re.fullmatch(r"([\w./-]+) (/[\w./-]+)", rest)
        if found is None or not (self._context / found[1]).is_dir():
            raise ValueError(f"COPY {rest}: is unknown here, or no folder")
        target = self._root / found[2][1:]
        shutil.copytree(self._context / found[1], target, dirs_exist_ok=True)

    def _set_user(self, rest: str) -> None:
        self._user = int(rest)

    def _set_folder(self, rest: str) -> None:
        if not (self._root / rest[1:]).is_dir():
            raise ValueError(f"WORKDIR {rest}: is to be made, which is unknown here")
        self._folder = rest

    def _set_volume(self, rest: str) -> None:
        self._volume = rest

    def _set_entry_point(self, rest: str) -> None:
        self.entry_point = json.loads(rest)

    def _set_command(self, rest: str) -> None:
        self.command = json.loads(rest)

    def make_volume(self, folder: Path) -> None:
        """As an engine makes a new one: with the image's content and its owner."""
        call("cp", "-a", self._root / self._volume[1:], folder)

    def run(self, volume: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Its command, under the flags that the recipe tells in its head."""
        accounts = (self._root / "etc/passwd").read_text().splitlines()
        (group,) = (one[3] for one in (x.split(":") for x in accounts) if one[2] == str(self._user))
        given = [self._root, volume, self._volume, self._user, group, self._folder, *arguments]
        namespaces = ["--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child"]
        script = "set -e" + START.format(path=PATH)
        return subprocess.run(
            ["unshare", *namespaces, "sh", "-c", script, *map(str, given)],
            capture_output=True,
            text=True,
            check=False,
        )


def call(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True)


def tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def scene(recipe: Path, context: Path) -> None:
    work = Path("/opt/container")
    volume = work / "volume"
    container = Container(work / "root", context)
    for word, rest in instructions(recipe.read_text()):
        container.follow(word, rest)
        tell(followed=word)
    tell(starts=[*container.entry_point, *container.command])
    # As udev leaves a camera.
    call("modprobe", "vivid")
    call("chgrp", "video", "/dev/video0")
    call("chmod", "660", "/dev/video0")
    container.make_volume(volume)
    shutil.copy("images/0.jpg", volume)
    look = "id; grep -E '^(Cap|NoNewPrivs)' /proc/self/status; ls /dev /sys/class/net; touch /x"
    tell(look=container.run(volume, "sh", "-c", look).__dict__)
    cameras = [*container.entry_point, "run", "--list-cameras", "--json"]
    tell(cameras=container.run(volume, *cameras).__dict__)
    segment = ["run", "--input", "0.jpg", "--model", MODEL, "--output", "maps", "--save", "mask"]
    tell(segment=container.run(volume, *container.entry_point, *segment).__dict__)
    tell(owner=[one.stat().st_uid for one in (volume / "maps").iterdir()])
    shutil.copytree(volume / "maps", "maps")


if __name__ == "__main__":
    scene(Path(sys.argv[1]), Path(sys.argv[2]))
