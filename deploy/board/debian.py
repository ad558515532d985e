"""Debian's packages for arm64, by an apt of its own: this machine's is told of no second
architecture."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from deploy.board.host import call
from edge_vessel.errors import UsageError

SUITE = "bookworm"  # Debian 12: Python 3.11, as on most boards
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# apt's own user may not be allowed into the folder.
_CONFIGURATION = """APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "root";
Dir::State "{0}/state";
Dir::State::status "{0}/status";
Dir::Cache "{0}/cache";
Dir::Etc::SourceList "{0}/sources.list";
Dir::Etc::SourceParts "/nonexistent";
"""


class Debian:
    """Packages from the mirrors that this machine uses itself; its files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Reads the mirrors' lists.

        Raises:
            UsageError: this machine's apt knows no mirror of that Debian.
            DeviceError: a mirror does not answer.
        """
        told = call(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(CODENAME)"])
        # Others' repositories may have the suite's name, or none.
        mirrors = sorted(set(re.findall(rf"^Debian (\S+ {SUITE}\S*)$", told, re.MULTILINE)))
        if not mirrors:
            raise UsageError(f"apt knows no mirror of Debian {SUITE}: name one in its sources")
        for inside in ("state/lists/partial", "cache/archives/partial"):
            (folder / inside).mkdir(parents=True)
        (folder / "status").touch()
        self._sources = folder / "sources.list"
        lines = [f"deb [signed-by={_KEYS}] {mirror} main\n" for mirror in mirrors]
        self._sources.write_text("".join(lines))
        configuration = folder / "apt.conf"
        configuration.write_text(_CONFIGURATION.format(folder))
        self._folder = folder
        self._environment = {**os.environ, "APT_CONFIG": str(configuration)}
        call(["apt-get", "-qq", "update"], self._environment)

    def kernel(self) -> str:
        """The newest kernel's release, such as 6.1.0-30-arm64."""
        told = call(["apt-cache", "depends", "linux-image-arm64"], self._environment)
        (image,) = (
            line.split()[1] for line in told.splitlines() if "Depends: linux-image-" in line
        )
        return image.removeprefix("linux-image-").removesuffix("-unsigned")

    def download(self, package: str) -> Path:
        """The package's file."""
        into = self._folder / package
        into.mkdir()
        # apt-get writes into its working folder.
        call(["env", "-C", into, "apt-get", "-qq", "download", package], self._environment)
        (file,) = into.iterdir()
        return file

    def userland(self, packages: Sequence[str], archive: Path) -> None:
        """Packages and what they need, unpacked and not configured: nothing of arm64 runs here."""
        left_out = ("doc", "man", "locale", "info", "lintian", "bug")
        call(
            [
                "mmdebstrap", "--quiet", "--arch=arm64", "--variant=extract", "--mode=root",
                "--skip=check/qemu", f"--include={','.join(packages)}",
                *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in left_out),
                SUITE, archive, self._sources,
            ]
        )  # fmt: skip
