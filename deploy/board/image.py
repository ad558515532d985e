"""The board's image: kernel, initramfs and the disk's content, made once and kept.

Nothing of arm64 is run meanwhile: packages are unpacked, modules cross-compiled.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.board import kernel as kernels
from deploy.board.debian import Debian
from deploy.board.host import call, need
from deploy.board.kernel import GUEST, Kernel
from deploy.targets import TARGETS
from deploy.wheels import LOCK, ROOT
from edge_vessel.errors import UsageError

PYTHON = "3.11"
_HOST = {
    "mmdebstrap": "mmdebstrap",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "aarch64-linux-gnu-gcc-12": "gcc-12-aarch64-linux-gnu",
    "aarch64-linux-gnu-strip": "binutils-aarch64-linux-gnu",
    "/usr/lib/linux-kbuild-6.1": "linux-kbuild-6.1",
    "modprobe": "kmod",
    "cpio": "cpio",
    "mke2fs": "e2fsprogs",
    "make": "make",
}
# The essential ones have to be named: nothing is configured, and mmdebstrap takes none by itself.
_PACKAGES = (
    "base-files", "base-passwd", "bash", "coreutils", "dash", "diffutils", "findutils", "grep",
    "gzip", "hostname", "iproute2", "kmod", "libgomp1", "libstdc++6", "login", "mawk", "mount",
    "openssl", "passwd", "procps", "python3", "sed", "systemd", "tar", "udev", "util-linux",
    "busybox-static",
)  # fmt: skip
# Of guest/: what boots the board, and what tests plug in.
_SYSTEM = ("initramfs-init", "board-init", "board-command", "board-command.service")
_TOOLS = ("usb_camera.py", "ina226.py")
_START_MODULES = ("virtio_pci", "virtio_blk", "ext4")
_MODULES = (
    "virtio_rng", "9p", "9pnet_virtio", "uvcvideo", "vhci-hcd", "vivid", "i2c-dev",
    "i2c-stub", "ina2xx", "test_power", "fakeboard",
)  # fmt: skip
# Of systemd's own: what a board that is thrown away does not need at every start.
_MASKED = (
    "getty.target", "getty-static.service", "systemd-hwdb-update.service",
    "systemd-pstore.service", "systemd-update-done.service", "systemd-update-utmp.service",
    "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "proc-sys-fs-binfmt_misc.automount", "modprobe@fuse.service",
    "modprobe@loop.service", "modprobe@dm_mod.service",
)  # fmt: skip
# Groups that udev's rules name, which its package would make when it is configured.
_GROUPS = ("render", "kvm", "input", "sgx", "systemd-journal")
_OURS = re.compile("[0-9a-f]{16}|making-.+")  # folders beside an image: the rest is not ours
_KEPT_S = 30 * 86400
_ROOM_MB = 2000  # for installations; the file has holes there


@dataclass(frozen=True)
class Image:
    """A made one, in `folder`."""

    folder: Path

    @property
    def kernel(self) -> Path:
        """Linux for arm64."""
        return self.folder / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        """Mounts the disk."""
        return self.folder / "initrd.img"

    @property
    def disk(self) -> Path:
        """An ext4 file system."""
        return self.folder / "root.ext4"


def default_folder() -> Path:
    """Where images are kept when nobody names a folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "edge-vessel" / "board"


def prepare(folder: Path) -> Image:
    """The image of what it is made of today, which lies in a folder of `folder`; makes it, in
    about a minute, where it is not there.

    Raises:
        UsageError: not root, or programs are missing.
        DeviceError: no network, no room, or a program failed.
    """
    image = Image(folder / key())
    if image.folder.exists():
        with contextlib.suppress(OSError):  # it is another user's
            os.utime(image.folder)
        return image
    if os.geteuid() != 0:
        raise UsageError(
            f"{folder}: has no image of these sources, and one is made as root: sudo "
            f"{sys.executable} -m deploy board image -o {folder}"
        )
    need(_HOST)
    folder.mkdir(parents=True, exist_ok=True)
    # Who waits for the lock need not wait for what was needed to be removed.
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="making-") as temporary,
        (folder / "lock").open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.folder.exists():
            made = Path(temporary) / "image"
            made.mkdir()
            _make(Path(temporary), Image(made))
            made.rename(image.folder)
            prune(folder)
    return image


def prune(folder: Path) -> None:
    """Removes images that nobody has used for a month, and what a killed making left."""
    for one in folder.iterdir():
        if _OURS.fullmatch(one.name) and time.time() - one.stat().st_mtime > _KEPT_S:
            shutil.rmtree(one, ignore_errors=True)


def key() -> str:
    """Of all that an image is made of, but for the state of Debian's mirror."""
    digest = hashlib.sha256("\n".join([*_requirements(), LOCK.read_text()]).encode())
    here = Path(__file__).parent
    sources = [here / f"{name}.py" for name in ("debian", "image", "kernel")]
    for file in [*sources, *(GUEST / name for name in (*_SYSTEM, *_TOOLS, "fakeboard.c"))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _requirements() -> list[str]:
    """What the runtime needs, and coverage, by which tests see what runs on the board."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], "coverage"]


def _make(work: Path, image: Image) -> None:
    root, archive, wheels = work / "root", work / "userland.tar", work / "wheels"
    (work / "apt").mkdir()
    debian = Debian(work / "apt")
    with ThreadPoolExecutor() as pool:
        userland = pool.submit(debian.userland, _PACKAGES, archive)
        packages = pool.submit(_install_wheels, wheels)
        kernel = kernels.make(debian, work)
        userland.result()
        packages.result()
    for name in ("bin", "sbin", "lib"):  # as every Debian has had them since its 12th
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    unpack = ["tar", "-xf", str(archive), "-C", str(root), "--numeric-owner", "--exclude=./dev/*"]
    call([*unpack, "--keep-directory-symlink"])
    _configure(root)
    (root / "usr/local/lib/python3.11").mkdir(parents=True, exist_ok=True)
    wheels.rename(root / "usr/local/lib/python3.11/dist-packages")
    _compile(root)
    _add_modules(root, kernel)
    _make_initramfs(work / "initramfs", root, kernel, image.initramfs)
    shutil.copy(kernel.image, image.kernel)
    used_mb = int(call(["du", "-sm", "--apparent-size", root]).split()[0])
    size = f"{used_mb * 9 // 8 + _ROOM_MB}M"
    journal = "size=16"  # a cut of the power must not cost the file system
    call(["mke2fs", "-q", "-t", "ext4", "-m0", "-J", journal, "-d", root, image.disk, size])


def _install_wheels(folder: Path) -> None:
    """By this machine's pip, for the board."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    command += ["--target", str(folder), "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", PYTHON, "--no-compile", "--constraint", str(LOCK)]
    for platform in TARGETS["generic-aarch64"].platforms:
        command += ["--platform", platform]
    call([*command, "--root-user-action=ignore", *_requirements()])


def _configure(root: Path) -> None:
    """What the packages' own scripts would have done, as far as the board needs it."""
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    with (root / "etc/group").open("a") as file:
        file.writelines(f"{name}:x:{900 + number}:\n" for number, name in enumerate(_GROUPS))
    (root / "usr/bin/awk").symlink_to("mawk")
    (root / "etc/hostname").write_text("board\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost board\n")
    (root / "etc/machine-id").write_text(f"{hashlib.md5(b'board').hexdigest()}\n")  # noqa: S324
    (root / "etc/modules-load.d/board.conf").write_text("fakeboard\n")
    for inside in ("mnt/host", "mnt/ro", "opt/board"):
        (root / inside).mkdir(parents=True)
    for name in ("board-init", "board-command"):
        _put(GUEST / name, root / "usr/sbin" / name, 0o755)
    for name in _TOOLS:
        _put(GUEST / name, root / "opt/board" / name, 0o755)
    units = root / "etc/systemd/system"
    _put(GUEST / "board-command.service", units / "board-command.service", 0o644)
    wanted = units / "multi-user.target.wants"
    wanted.mkdir()
    (wanted / "board-command.service").symlink_to("../board-command.service")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    for name in _MASKED:
        (units / name).symlink_to("/dev/null")


def _put(source: Path, target: Path, mode: int) -> None:
    shutil.copyfile(source, target)
    target.chmod(mode)


def _compile(root: Path) -> None:
    """Bytecode of Python and the wheels, where this Python writes the board's: emulated, it would
    be compiled again at every start."""
    if sys.version_info[:2] == tuple(map(int, PYTHON.split("."))):
        folders = [root / place / f"python{PYTHON}" for place in ("usr/lib", "usr/local/lib")]
        command = [sys.executable, "-m", "compileall", "-q", "-j0", "-s", str(root), "-p", "/"]
        # Some packages carry files for other Pythons, which do not compile.
        subprocess.run(
            [*command, "--invalidation-mode", "unchecked-hash", *folders],
            capture_output=True,
            check=False,
        )


def _add_modules(root: Path, kernel: Kernel) -> None:
    folder = root / "lib/modules" / kernel.release
    for file in kernel.files([*_START_MODULES, *_MODULES]):
        target = folder / file.relative_to(kernel.modules)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copyfile(kernel.modules / name, folder / name)
    call(["depmod", "-b", root, kernel.release])


def _make_initramfs(folder: Path, root: Path, kernel: Kernel, output: Path) -> None:
    for inside in ("bin", "modules"):
        (folder / inside).mkdir(parents=True)
    shutil.copy(root / "bin/busybox", folder / "bin/busybox")
    _put(GUEST / "initramfs-init", folder / "init", 0o755)
    (folder / "dev").mkdir()
    os.mknod(folder / "dev/console", stat.S_IFCHR | 0o600, os.makedev(5, 1))
    files = list(kernel.files(_START_MODULES))
    for file in files:
        shutil.copy(file, folder / "modules" / file.name)
    (folder / "modules/order").write_text("".join(f"{file.name}\n" for file in files))
    pack = 'cd "$0" && find . | cpio -o -H newc --quiet | gzip -1 >"$1"'
    call(["sh", "-c", pack, folder, output])
