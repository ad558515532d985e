"""The board's kernel: Debian's own, and the modules that Debian does not build for arm64."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.board.debian import Debian
from deploy.board.host import call
from edge_vessel.errors import DeviceError

GUEST = Path(__file__).parent / "guest"
# Of the kernel's own source: power sensor, stub of an I2C bus, batteries and plugs.
_SOURCES = ("hwmon/ina2xx.c", "i2c/i2c-stub.c", "power/supply/test_power.c")
_CROSS = "aarch64-linux-gnu-"
_KBUILD = "/usr/lib/linux-kbuild-6.1"  # the same tools for this machine


@dataclass(frozen=True)
class Kernel:
    """A kernel, unpacked in `root`, of a release such as 6.1.0-30-arm64."""

    root: Path
    release: str

    @property
    def image(self) -> Path:
        """What the board boots."""
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """The folder of its modules."""
        return self.root / "lib/modules" / self.release

    def files(self, names: Sequence[str]) -> Iterator[Path]:
        """The files of modules and of those that they need, in the order of loading."""
        seen = set()
        for name in names:
            asked = ["modprobe", "-d", str(self.root), "-S", self.release, "--show-depends", name]
            for line in call(asked).splitlines():
                word, _, file = line.strip().partition(" ")
                if word == "insmod" and file not in seen:
                    seen.add(file)
                    yield Path(file.split()[0])


def make(debian: Debian, folder: Path) -> Kernel:
    """Downloads, and builds what is missing, in `folder`."""
    kernel = Kernel(folder / "kernel", debian.kernel())
    release = kernel.release
    packages = {
        f"linux-image-{release}": kernel.root,
        f"linux-headers-{release}": folder / "headers",
        f"linux-headers-{release.removesuffix('-arm64')}-common": folder / "headers",
    }
    with ThreadPoolExecutor() as pool:
        sources = pool.submit(_sources, debian, folder / "modules")
        for package, into in packages.items():
            call(["dpkg-deb", "-x", debian.download(package), into])
        sources.result()
    _build(kernel, folder / "headers", folder / "modules")
    return kernel


def _sources(debian: Debian, folder: Path) -> None:
    """The modules' sources, flat in `folder`."""
    folder.mkdir()
    package = debian.download("linux-source-6.1")
    names = [f"linux-source-6.1/drivers/{source}" for source in _SOURCES]
    # Ends with the last of them: a third of the archive is not unpacked.
    unpack = (
        'dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/src/linux-source-6.1.tar.xz '
        '| tar -xJ -C "$1" --occurrence=1 --strip-components=3 "${@:2}"'
    )
    done = subprocess.run(
        ["bash", "-c", unpack, package, folder, *names], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DeviceError(f"{package.name}: cannot be unpacked: {done.stderr.strip()[-200:]}")
    for file in list(folder.rglob("*.c")):
        file.rename(folder / file.name)
    shutil.copy(GUEST / "fakeboard.c", folder)


def _build(kernel: Kernel, headers: Path, folder: Path) -> None:
    """Cross-compiles what lies in `folder`, and puts it among the kernel's modules."""
    (headers / "usr/lib").mkdir(exist_ok=True)
    tools = headers / _KBUILD.lstrip("/")
    tools.unlink(missing_ok=True)
    tools.symlink_to(_KBUILD)
    tree = headers / "usr/src" / f"linux-headers-{kernel.release}"
    makefile = tree / "Makefile"
    moved = re.sub(r"^include /", f"include {headers}/", makefile.read_text(), flags=re.MULTILINE)
    makefile.write_text(moved)
    objects = " ".join(f"{file.stem}.o" for file in sorted(folder.glob("*.c")))
    (folder / "Kbuild").write_text(f"obj-m := {objects}\n")
    arguments = ["ARCH=arm64", f"CROSS_COMPILE={_CROSS}", f"M={folder}", "modules"]
    call(["make", "-s", "-j2", "-C", tree, *arguments])
    own = kernel.modules / "updates"
    own.mkdir()
    for file in folder.glob("*.ko"):
        call([f"{_CROSS}strip", "-g", file])
        shutil.copy(file, own)
    call(["depmod", "-b", kernel.root, kernel.release])
