"""`python -m deploy bundle`: all that a board needs, in one offline archive."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.archive import Content, pack
from deploy.bill_of_materials import bill_of_materials
from deploy.targets import TARGETS, BoardTarget
from deploy.wheels import ROOT, Wheel, collect
from edge_vessel import __version__, models, signing
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.command_line import Parser, add_trust_flags, path
from edge_vessel.errors import UsageError
from edge_vessel.manifest import MANIFEST, SIGNATURE

PYTHONS = ("3.11", "3.12", "3.13")
_DEPLOY = Path(__file__).parent
# Beside the unpacked wheels: the virtual environment, compiled Python, room to replace it all.
_SPARE_MB = 100


def bundle(arguments: list[str]) -> int:
    """Collects, packs, prints the size.

    Raises:
        UsageError: an option, an artifact that the board cannot run, a wheel that is not there.
        ArtifactError: an artifact that cannot be trusted.
        DeviceError: the disk.
    """
    options = _parser().parse_args(arguments)
    target = TARGETS[options.target]
    key = None if options.key is None else signing.load_private_key(options.key)
    artifacts = list(_artifacts(options, target))
    for file in options.trust:
        signing.load_public_key(file)
    epoch = _epoch()
    name = f"edge-vessel-{__version__}-{options.target}"
    with tempfile.TemporaryDirectory() as temporary:
        wheels = collect(target, options.python, epoch, Path(temporary))
        files = _files(options, target, artifacts, wheels, name, epoch)
        pack(options.output, name, files, key, epoch)
    _print(options, artifacts, wheels)
    return 0


def _artifacts(options: argparse.Namespace, target: BoardTarget) -> Iterator[Artifact]:
    own = [] if options.key is None else [signing.load_private_key(options.key).public_key()]
    trusted = [*own, *signing.trusted_keys([*options.trusted_key, *options.trust])]
    names = set()
    for folder in map(models.resolve, options.artifact or [None]):
        artifact = open_artifact(folder, trusted, options.allow_unsigned)
        if artifact.warning is not None:
            sys.stderr.write(f"warning: {artifact.warning}\n")
        target.check(artifact.manifest.target, folder)
        if artifact.manifest.name in names:
            raise UsageError(f"{folder}: {artifact.manifest.name} stands twice")
        names.add(artifact.manifest.name)
        yield artifact


def _files(
    options: argparse.Namespace,
    target: BoardTarget,
    artifacts: Sequence[Artifact],
    wheels: Sequence[Wheel],
    name: str,
    epoch: int,
) -> dict[str, Content]:
    """By their path in the bundle."""
    files: dict[str, Content] = {"install.sh": _DEPLOY / "install.sh"}
    for wheel in wheels:
        files[f"wheels/{wheel.path.name}"] = wheel.path
    for artifact in artifacts:
        if artifact.trust == "pinned":
            continue  # it is in our own wheel
        named = [MANIFEST, *(record.name for record in artifact.manifest.files)]
        if (artifact.folder / SIGNATURE).exists():
            named.append(SIGNATURE)
        for one in named:
            files[f"artifacts/{artifact.manifest.name}/{one}"] = artifact.folder / one
    for source in sorted((ROOT / "bench").rglob("*")):
        if source.suffix in (".py", ".json") and "results" not in source.parts:
            files[f"bench/{source.relative_to(ROOT / 'bench')}"] = source
    for folder in ("systemd", "udev"):
        for source in sorted((_DEPLOY / folder).iterdir()):
            files[f"{folder}/{source.name}"] = source
    for file in options.trust:
        files[f"trusted.d/{file.name}"] = file
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    bill = bill_of_materials(name, __version__, wheels, artifacts, created)
    files["bill-of-materials.cdx.json"] = bill.encode()
    needs_mb = sum(one.unpacked_bytes for one in wheels) // 2**20 + _SPARE_MB
    memory_mb = max(one.manifest.target.memory_mb for one in artifacts)
    files["bundle.conf"] = (
        f"version={__version__}\ntarget={options.target}\nmachine={target.machine}\n"
        f"python={options.python}\ndisk_mb={needs_mb}\nmemory_mb={memory_mb}\n"
        f"artifact={artifacts[0].manifest.name}\ncreated={created}\n"
    ).encode()
    return files


def _epoch() -> int:
    """Of the revision: the same sources give the same bundle.

    Raises:
        UsageError: there is no git checkout.
    """
    asked = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise UsageError(f"{ROOT}: is no git checkout: a bundle is made of a revision")
    return int(asked.stdout)


def _print(
    options: argparse.Namespace, artifacts: Sequence[Artifact], wheels: Sequence[Wheel]
) -> None:
    signed = "unsigned: give --key" if options.key is None else "signed"
    names = ", ".join(one.manifest.name for one in artifacts)
    size_mb = options.output.stat().st_size / 1e6
    sys.stdout.write(
        f"{options.output}: {size_mb:.1f} MB, {len(wheels)} wheels, {names}, for "
        f"{TARGETS[options.target].description} with Python {options.python}, {signed}\n"
    )


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m deploy bundle", description=__doc__)
    parse.add_argument(
        "--artifact", type=path, action="append", metavar="PATH",
        help="repeatable, the first runs at boot; default: the bundled one",
    )  # fmt: skip
    parse.add_argument("--target", choices=TARGETS, required=True)
    parse.add_argument("--python", choices=PYTHONS, default=PYTHONS[0], help="of the board")
    parse.add_argument("--key", type=path, metavar="FILE", help="private key that signs the bundle")
    parse.add_argument(
        "--trust", type=path, action="append", default=[], metavar="PEM",
        help="public key that the board shall trust; repeatable",
    )  # fmt: skip
    add_trust_flags(parse)
    parse.add_argument("-o", "--output", type=path, required=True, metavar="FILE")
    return parse
