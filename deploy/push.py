"""`python -m deploy push user@board --bundle FILE`: over ssh and rsync, then installed there.

A push that breaks off goes on where it stopped. The board keeps what runs until the new artifact
has passed its self-test there; see install.sh.
"""

import argparse
import hashlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from deploy.archive import SUMS, SUMS_SIGNATURE
from edge_vessel import signing
from edge_vessel.command_line import Parser, path, printable, whole_number
from edge_vessel.errors import ArtifactError, DeviceError, UsageError, kind_of

_SSH_FAILED = 255
_CONNECTION_FAILED = (12, 30, 35)  # rsync: the stream broke off, or nobody answered in time
_BOARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*")
_FOLDER = re.compile(r"edge-vessel-[A-Za-z0-9_.-]+")
_SUM = re.compile(r"([0-9a-f]{64})  (\S(?:.*\S)?)")
_MOST_SUMS_BYTES = 2**20
_STAGING = ".cache/edge-vessel"


def push(arguments: list[str]) -> int:
    """Verifies, copies, verifies again, installs.

    Raises:
        UsageError: an option, or no ssh or rsync here.
        ArtifactError: the bundle is damaged, or no trusted key signed it.
        DeviceError: the board does not answer, or could not install it; it runs what it ran.
    """
    options = _parser().parse_args(arguments)
    for program in ("ssh", "rsync"):
        if shutil.which(program) is None:
            raise UsageError(f"{program} is missing: apt install {program}")
    folder = _verify(options)
    board = _Board(options)
    with options.bundle.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # By its hash: half of another bundle under this name would be gone on with.
    archive = f"{digest[:32]}.tar"
    staging, name = shlex.quote(options.staging), shlex.quote(folder)
    board.run(f"mkdir -p {staging}")
    board.copy(options.bundle, f"{options.staging}/{archive}")
    board.run(
        f"cd {staging} && echo {digest}  {archive} | sha256sum --check --status",
        f"{options.staging}/{archive}: is not what was sent: remove it there, and push again",
    )
    sudo = "" if options.board.startswith("root@") else "sudo -n "
    flags = " ".join(map(shlex.quote, options.install_flag))
    board.run(
        f"cd {staging} && rm -rf ./{name} && tar xf ./{archive} && "
        f"{sudo}./{name}/install.sh {flags}; code=$?; rm -rf ./{name}; exit $code"
    )
    board.run(f"rm -f {staging}/{archive}")
    sys.stdout.write(f"{options.board}: runs {folder}\n")
    return 0


class _Board:
    """A board that ssh reaches without asking for anything."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._name: str = options.board
        # A password or an unknown host key would wait for somebody who is not there.
        ssh = ["ssh", "-p", str(options.port), "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        for option in options.ssh_option:
            ssh += ["-o", option]
        if options.identity is not None:
            ssh += ["-i", str(options.identity)]
        self._ssh = ssh

    def run(self, command: str, fault: str | None = None) -> None:
        """What it prints goes to stdout. Raises EdgeVesselError as its exit code says."""
        done = subprocess.run(
            [*self._ssh, self._name, command], stderr=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            self._fail(done.returncode, done.stderr, fault, done.returncode == _SSH_FAILED)
        sys.stderr.write("".join(f"{printable(one)}\n" for one in done.stderr.splitlines()))

    def copy(self, file: Path, remote: str) -> None:
        """Goes on with what is there already; rsync verifies the whole at the end."""
        command = ["rsync", "--partial", "--append-verify", "--protect-args"]
        command += ["-e", shlex.join(self._ssh)]
        if sys.stdout.isatty():
            command.append("--info=progress2")
        named = [str(file.resolve()), f"{self._name}:{remote}"]
        done = subprocess.run([*command, *named], stderr=subprocess.PIPE, text=True, check=False)
        if "rsync: not found" in done.stderr or "rsync: command not found" in done.stderr:
            raise DeviceError(f"{self._name}: has no rsync: apt install rsync there")
        if done.returncode:
            unreached = done.returncode in (_SSH_FAILED, *_CONNECTION_FAILED)
            self._fail(DeviceError.exit_code, done.stderr, None, unreached)

    def _fail(self, code: int, stderr: str, fault: str | None, unreached: bool) -> NoReturn:
        """Told is the line that says why: our own, rsync's first, else the last."""
        lines = [line for line in stderr.strip().splitlines() if line.strip()]
        own = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        causes = [line for line in lines if line.startswith("rsync: ") and "No space" in line]
        said = printable([f"exit code {code}", *lines[-1:], *causes[:1], *own[-1:]][-1])
        if unreached and not own and not causes:
            raise DeviceError(f"{self._name}: {said}; try: {shlex.join(self._ssh)} {self._name}")
        raise kind_of(code)(f"{self._name}: {fault or said}")


def _verify(options: argparse.Namespace) -> str:
    """The folder in the bundle; its sums are signed, and are those of the files.

    Raises:
        UsageError: it is no bundle.
        ArtifactError: it is damaged, or no trusted key signed it.
    """
    bundle = options.bundle
    trusted = signing.trusted_keys(options.trusted_key)
    if not bundle.is_file():
        raise UsageError(f"{bundle}: no such file")
    try:
        with tarfile.open(bundle, "r:") as archive:
            members = archive.getmembers()
            folders = {one.name.partition("/")[0] for one in members}
            folder = next(iter(folders), "")
            regular = all(one.isreg() and "/" in one.name for one in members)
            if len(folders) != 1 or not regular or _FOLDER.fullmatch(folder) is None:
                raise UsageError(f"{bundle}: is no bundle: make one with python -m deploy bundle")
            sums = _content(archive, f"{folder}/{SUMS}")
            _check_signature(
                options, sums, _content(archive, f"{folder}/{SUMS_SIGNATURE}"), trusted
            )
            _check_sums(bundle, archive, members, sums or b"")
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"{bundle}: is no bundle: {error}") from error
    return folder


def _check_sums(
    bundle: Path, archive: tarfile.TarFile, members: Sequence[tarfile.TarInfo], sums: bytes
) -> None:
    """Raises ArtifactError where a file is missing, too many or changed."""
    named = {}
    for line in sums.decode("utf-8", "replace").splitlines():
        found = _SUM.fullmatch(line)
        if found is None:
            raise ArtifactError(
                f"{bundle}: {SUMS}: {printable(line)[:80]!r} is no sum: make it again"
            )
        named[found[2]] = found[1]
    for member in members:
        inside = member.name.partition("/")[2]
        if inside in (SUMS, SUMS_SIGNATURE):
            continue
        file = archive.extractfile(member)
        digest = None if file is None else hashlib.file_digest(file, "sha256").hexdigest()
        if digest != named.pop(inside, None):
            raise ArtifactError(f"{bundle}: is damaged: {printable(inside)}: make it again")
    if named:
        raise ArtifactError(f"{bundle}: lacks {printable(next(iter(named)))}: make it again")


def _content(archive: tarfile.TarFile, name: str) -> bytes | None:
    try:
        file = archive.extractfile(name)
    except KeyError:
        return None
    return None if file is None else file.read(_MOST_SUMS_BYTES)


def _check_signature(
    options: argparse.Namespace,
    sums: bytes | None,
    signature: bytes | None,
    trusted: Sequence[signing.Ed25519PublicKey],
) -> None:
    if sums is None:
        raise UsageError(f"{options.bundle}: is no bundle: it has no {SUMS}")
    if signature is not None and signing.find_signer(sums, signature, trusted) is not None:
        return
    if not options.allow_unsigned:
        raise ArtifactError(
            f"{options.bundle}: no trusted key signed it: name the maker's with --trusted-key, or "
            "--allow-unsigned"
        )
    sys.stderr.write(f"warning: {options.bundle}: no trusted key signed it\n")


def _board(text: str) -> str:
    if _BOARD.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r}: such as pi@raspberrypi.local")
    return text


def _staging(text: str) -> str:
    if not text or text[0] in "~-":
        raise argparse.ArgumentTypeError(f"{text!r}: a folder of its home, or with all its path")
    return text


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m deploy push", description=__doc__)
    parse.add_argument("board", type=_board, metavar="USER@BOARD")
    parse.add_argument("--bundle", type=path, required=True, metavar="FILE")
    parse.add_argument(
        "--trusted-key", type=path, action="append", default=[], metavar="PEM",
        help="public key of the bundle's maker; repeatable",
    )  # fmt: skip
    parse.add_argument("--allow-unsigned", action="store_true", help="push it all the same")
    parse.add_argument("--port", type=whole_number(1, 65535), default=22, metavar="N")
    parse.add_argument("--identity", type=path, metavar="FILE", help="ssh's private key")
    parse.add_argument(
        "--ssh-option", action="append", default=[], metavar="NAME=VALUE", help="as ssh -o"
    )
    parse.add_argument(
        "--staging", type=_staging, default=_STAGING, metavar="DIR",
        help=f"on the board, of its home; default: {_STAGING}",
    )  # fmt: skip
    parse.add_argument(
        "--install-flag", action="append", default=[], metavar="FLAG",
        help="for install.sh, such as --install-flag=--no-service",
    )  # fmt: skip
    return parse
