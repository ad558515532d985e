"""`python -m deploy bundle`: all that a board needs, in one offline archive."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.archive import Content, pack
from deploy.bill_of_materials import bill_of_materials
from deploy.revision import Revision
from deploy.targets import TARGETS, BoardTarget, accelerator_kind
from deploy.wheels import ROOT, Wheel, collect
from edge_vessel import __version__, models, signing
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.command_line import Parser, path
from edge_vessel.errors import UsageError
from edge_vessel.manifest import MANIFEST, SIGNATURE

PYTHONS = ("3.11", "3.12", "3.13")
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
    _check_output(options, artifacts)
    revision = Revision.of(ROOT)
    name = f"edge-vessel-{__version__}-{options.target}"
    with tempfile.TemporaryDirectory() as temporary:
        sources, wheelhouse = Path(temporary, "sources"), Path(temporary, "wheels")
        revision.unpack(sources)
        wheels = collect(target, options.python, revision.epoch, sources, wheelhouse, options.kiosk)
        files = _files(options, target, artifacts, wheels, name, sources, revision)
        pack(options.output, name, files, key, revision.epoch)
    _print(options, artifacts, wheels)
    return 0


def _check_output(options: argparse.Namespace, artifacts: Sequence[Artifact]) -> None:
    """Raises UsageError for what must not be written, before anything is downloaded."""
    output = options.output
    if output.exists() and not output.is_file():
        raise UsageError(f"{output}: is no regular file: name another")
    if not output.parent.is_dir():
        raise UsageError(f"{output.parent}: no such folder")
    read = [*options.trust, *options.trusted_key, *([options.key] if options.key else [])]
    if output.resolve() in {file.resolve() for file in read}:
        raise UsageError(f"{output}: is a key: name another file")
    if any(one.folder.resolve() in output.resolve().parents for one in artifacts):
        raise UsageError(f"{output}: lies in an artifact: name another folder")


def _artifacts(options: argparse.Namespace, target: BoardTarget) -> Iterator[Artifact]:
    """Each is trusted here; the board has to be told whom it shall trust."""
    carried = [signing.load_public_key(file) for file in options.trust]
    own = [] if options.key is None else [signing.load_private_key(options.key).public_key()]
    trusted = [*carried, *own, *signing.trusted_keys(options.trusted_key)]
    told = {f"signed by {signing.fingerprint(key)}" for key in carried}
    names = set()
    for folder in map(models.resolve, options.artifact or [None]):
        artifact = open_artifact(folder, trusted)
        target.check(artifact.manifest.target, folder)
        if artifact.manifest.name in names:
            raise UsageError(f"{folder}: {artifact.manifest.name} stands twice")
        names.add(artifact.manifest.name)
        if artifact.trust != "pinned" and artifact.trust not in told:
            sys.stderr.write(
                f"warning: {folder}: {artifact.trust}, whose key does not go along: a board that "
                "does not trust it already needs --trust\n"
            )
        yield artifact


def _files(
    options: argparse.Namespace,
    target: BoardTarget,
    artifacts: Sequence[Artifact],
    wheels: Sequence[Wheel],
    name: str,
    sources: Path,
    revision: Revision,
) -> dict[str, Content]:
    """By their path in the bundle."""
    files: dict[str, Content] = {"install.sh": sources / "deploy" / "install.sh"}
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
    for source in sorted((sources / "bench").rglob("*")):
        inside = source.relative_to(sources)
        if source.suffix in (".py", ".json") and "results" not in inside.parts:
            files[str(inside)] = source
    for folder in ("systemd", "udev"):
        for source in sorted((sources / "deploy" / folder).iterdir()):
            files[f"{folder}/{source.name}"] = source
    for file in options.trust:
        # Two makers may have given their keys the same name.
        key = signing.fingerprint(signing.load_public_key(file))
        files[f"trusted.d/{key}.pem"] = file
    bill = bill_of_materials(name, __version__, wheels, artifacts, revision.created)
    files["bill-of-materials.cdx.json"] = bill.encode()
    needs_mb = sum(one.unpacked_bytes for one in wheels) // 2**20 + _SPARE_MB
    needed = [one.manifest.target for one in artifacts]
    memory_mb = max(target.memory_mb for target in needed)
    files["bundle.conf"] = (
        f"version={__version__}\nrevision={revision.name}\ntarget={options.target}\n"
        f"machine={target.machine}\npython={options.python}\ndisk_mb={needs_mb}\n"
        f"memory_mb={memory_mb}\nartifact={artifacts[0].manifest.name}\n"
        f"created={revision.created}\nkiosk={'yes' if options.kiosk else 'no'}\n"
        f"accelerator={accelerator_kind(needed)}\n"
    ).encode()
    return files


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
        help="signed; repeatable, the first runs at boot; default: the one in our wheel",
    )  # fmt: skip
    parse.add_argument("--target", choices=TARGETS, required=True)
    parse.add_argument("--python", choices=PYTHONS, default=PYTHONS[0], help="of the board")
    parse.add_argument("--key", type=path, metavar="FILE", help="private key that signs the bundle")
    parse.add_argument(
        "--trust", type=path, action="append", default=[], metavar="PEM",
        help="public key that the board shall trust; repeatable",
    )  # fmt: skip
    parse.add_argument(
        "--trusted-key", type=path, action="append", default=[], metavar="PEM",
        help="public key that is trusted here, and does not go along; repeatable",
    )  # fmt: skip
    parse.add_argument(
        "--kiosk", action="store_true", help="with what the kiosk's service needs besides"
    )
    parse.add_argument("-o", "--output", type=path, required=True, metavar="FILE")
    return parse
