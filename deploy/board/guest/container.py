"""Runs on the board, which has no container engine: what the Containerfile says, in a root folder.

The folder is the board's own system with a layer over it. The wheels that lie in the board's Python
are hidden, so that only those of the bundle are there.
"""

import json
import re
import shlex
import shutil
from pathlib import Path

from steps import call, expect

LAYER = Path("/run/container")
ROOT = LAYER / "root"


def run_recipe(recipe: Path, context: Path, picture: Path) -> str:
    """Builds by the recipe, then segments `picture` as the recipe's user: no network, no
    capability, and nothing to write to but its volume and /tmp; a word on it."""
    text = re.sub(r"\\\n\s*", "", recipe.read_text())
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    _mount()
    for word, rest in lines:
        if word == "RUN":
            _run(rest, context)
        elif word == "COPY":
            pattern, target = rest.split()
            _copy(pattern, ROOT / target.strip("/"), context)
    said = dict(lines)
    volume = ROOT / said["VOLUME"].strip("/")
    call("mount", "-o", "remount,ro", ROOT)
    for folder in (volume, ROOT / "tmp"):
        call("mount", "-t", "tmpfs", "-o", f"uid={said['USER']}", "none", folder)
    shutil.copy(picture, volume / "eye.jpg")
    user = (
        f"--reuid={said['USER']} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all"
    )
    entry = shlex.join(json.loads(said["ENTRYPOINT"]))
    command = f"{entry} run --input eye.jpg --output maps --model m2unet-fundus-544"
    inside = f"cd {said['WORKDIR']} && exec setpriv {user} {command}"
    call("unshare", "--net", "chroot", ROOT, "sh", "-c", inside)
    expect((volume / "maps/eye_mask.png").exists(), "no mask")
    owner = (volume / "maps/eye_mask.png").stat().st_uid
    expect(owner == int(said["USER"]), f"the mask belongs to {owner}")
    return f"user {owner}, no network, no capability, read-only"


def _mount() -> None:
    """A root folder whose `python` is that of the recipe's base: pip, and nothing else."""
    LAYER.mkdir()
    call("mount", "-t", "tmpfs", "-o", "size=1g", "none", LAYER)
    for name in ("upper", "work", "root"):
        (LAYER / name).mkdir()
    layers = f"lowerdir=/,upperdir={LAYER}/upper,workdir={LAYER}/work"
    call("mount", "-t", "overlay", "-o", layers, "none", ROOT)
    shutil.rmtree(ROOT / "usr/local/lib/python3.11/dist-packages")
    (ROOT / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink(missing_ok=True)
    (ROOT / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for name in ("proc", "dev"):
        call("mount", "--rbind", f"/{name}", ROOT / name)


def _run(rest: str, context: Path) -> None:
    """RUN, and its --mount=type=bind."""
    environment = "PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin"
    for source, target in re.findall(r"--mount=type=bind,source=(\S+),target=(\S+)", rest):
        (ROOT / target.strip("/")).mkdir()
        call("mount", "--bind", context / source, ROOT / target.strip("/"))
        # Debian has pip in a package of its own; the bundle's is a program as it is.
        (pip,) = (context / source).glob("pip-*.whl")
        environment += f" PYTHONPATH={target}/{pip.name}"
    command = re.sub(r"--mount=\S+\s+", "", rest)
    call("env", *environment.split(), "chroot", ROOT, "sh", "-c", command)


def _copy(pattern: str, target: Path, context: Path) -> None:
    """COPY: the content of folders; a pattern may fit none."""
    for folder in context.glob(pattern):
        shutil.copytree(folder, target, dirs_exist_ok=True)
