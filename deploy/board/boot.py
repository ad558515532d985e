"""Boots the board, runs one command on it, and comes back with what it said."""

import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.board.host import call, need
from deploy.board.image import Image
from edge_vessel.command_line import printable
from edge_vessel.errors import DeviceError

CORTEX_A72 = "cortex-a72"
CUT_POWER = "cut-power"  # a file that the command makes in its share
_INIT = {False: "/sbin/board-init", True: "/lib/systemd/systemd"}
_QEMU = "qemu-system-aarch64"
_POLL_S = 0.1


@dataclass(frozen=True)
class Machine:
    """What is emulated.

    Attributes:
        cpu: as QEMU names it; the Cortex-A72 has no dot product, the Cortex-A76 has.
        systemd: it is process 1; else a script is, which boots in a third of the time.
        disk: a file to be written to; None for the image's, on which nothing stays.
    """

    cpu: str = CORTEX_A72
    cores: int = 2
    memory_mb: int = 3072
    systemd: bool = False
    disk: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """How a command ended; `exit_code` is None where it had the power cut."""

    exit_code: int | None
    output: str


def run(
    image: Image,
    command: str,
    share: Path,
    timeout_s: float,
    machine: Machine = Machine(),
    source: Path | None = None,
    watch: Callable[[], None] = lambda: None,
) -> Outcome:
    """Boots, runs a bash command as root in the folder `share`, which is /mnt/host there, and
    switches off. A file `cut-power` in the share has the power cut at once.

    Args:
        source: a folder that the board may read, at /mnt/ro.
        watch: called again and again while the board runs.

    Raises:
        UsageError: no QEMU.
        DeviceError: the time is up, or the board went down without an answer.
    """
    need({_QEMU: "qemu-system-arm"})
    cut = share / CUT_POWER
    cut.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="edge-vessel-board-") as temporary:
        control = Path(temporary)
        (control / "command").write_text(command + "\n")
        arguments = _arguments(image, machine, control, share, source)
        with subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            try:
                ended = _wait(process, timeout_s, cut, watch)
            finally:
                process.kill()
            said = process.stderr.read().decode(errors="replace") if process.stderr else ""
        output = _read(control / "output")
        if cut.exists():
            return Outcome(None, output)
        code = _read(control / "exit_code").strip()
        if not ended or not code:
            why = "went down without an answer" if ended else f"no answer within {timeout_s:.0f} s"
            last = (output + said + _read(control / "console")).strip()[-2000:]
            raise DeviceError(f"the emulated board: {why}: {printable(last)}")
        return Outcome(int(code), output)


def copy_disk(image: Image, to: Path) -> Path:
    """A disk of one's own, that keeps what the board writes; its holes stay holes."""
    try:
        call(["cp", "--sparse=always", image.disk, to])
    except DeviceError as error:
        raise DeviceError(f"{to}: {error}: make room, or set TMPDIR") from error
    return to


def _wait(
    process: subprocess.Popen[bytes], timeout_s: float, cut: Path, watch: Callable[[], None]
) -> bool:
    """False where the time was up first."""
    end_s = time.monotonic() + timeout_s
    while process.poll() is None:
        if time.monotonic() > end_s:
            return False
        if cut.exists():
            return True
        watch()
        time.sleep(_POLL_S)
    return True


def _read(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""


def _arguments(
    image: Image, machine: Machine, control: Path, share: Path, source: Path | None
) -> list[str]:
    drive = f"file={_escaped(image.disk)},snapshot=on"
    if machine.disk is not None:
        drive = f"file={_escaped(machine.disk)}"
    shares = {"control": control, "share": share, "source": source}
    boot = f"console=ttyAMA0 quiet loglevel=3 panic=-1 init={_INIT[machine.systemd]}"
    arguments = [
        # Whatever ends this process ends QEMU.
        "setpriv", "--pdeathsig", "KILL",
        _QEMU, "-M", "virt,gic-version=2", "-cpu", machine.cpu, "-smp", str(machine.cores),
        "-m", str(machine.memory_mb), "-accel", "tcg,thread=multi",
        "-kernel", str(image.kernel), "-initrd", str(image.initramfs),
        "-append", f"{boot} systemd.getty_auto=no",
        "-drive", f"{drive},format=raw,if=none,id=disk,cache=unsafe",
        "-device", "virtio-blk-pci,drive=disk,romfile=",
        "-nic", "none", "-display", "none", "-monitor", "none", "-no-reboot",
        "-serial", f"file:{control / 'console'}",
    ]  # fmt: skip
    for tag, folder in shares.items():
        if folder is not None:
            readonly = ",readonly=on" if tag == "source" else ""
            path = _escaped(folder.resolve())
            arguments.append("-virtfs")
            arguments.append(f"local,path={path},mount_tag={tag},security_model=none{readonly}")
    return arguments


def _escaped(path: Path) -> str:
    """As QEMU reads it among options that commas divide."""
    return str(path).replace(",", ",,")
