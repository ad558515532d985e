"""The revision that a bundle is made of: what is committed, and nothing that lies beside it."""

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge_vessel.errors import UsageError


@dataclass(frozen=True)
class Revision:
    """A commit of the checkout at `root`; `epoch` is its time in seconds since 1970."""

    root: Path
    name: str
    epoch: int

    @classmethod
    def of(cls, root: Path) -> "Revision":
        """The one that is checked out; says so where files differ from it.

        Raises:
            UsageError: there is no git, or no checkout.
        """
        name, epoch = _git(root, "log", "-1", "--format=%H %ct").decode().split()
        if _git(root, "status", "--porcelain", "--untracked-files=no"):
            sys.stderr.write("warning: what is not committed is not in the bundle\n")
        return cls(root, name, int(epoch))

    @property
    def created(self) -> str:
        """UTC, such as 2026-01-31T12:00:00Z."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def unpack(self, folder: Path) -> None:
        """Its files, in `folder`."""
        command = ["git", "archive", self.name]
        with (
            subprocess.Popen(command, cwd=self.root, stdout=subprocess.PIPE) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as archive,
        ):
            archive.extractall(folder, filter="data")


def _git(root: Path, *arguments: str) -> bytes:
    try:
        asked = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise UsageError(
            "git is missing: a bundle is made of a revision: apt install git"
        ) from error
    if asked.returncode:
        raise UsageError(f"{root}: is no git checkout: a bundle is made of a revision")
    return asked.stdout
