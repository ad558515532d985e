#!/usr/bin/env python3
"""Runs on the board, under systemd, with the system's own Python: what a board lives through.

    life.py before      up to a cut of the power in the middle of an update
    life.py after       from the boot that follows it

Its working folder is the host's.
"""

import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from steps import LONG_S, call, expect, step, tell, until

SERVICE = "edge-vessel"
MODEL = "m2unet-fundus-544"  # the default takes three times as long
SLOTS = ["edge-vessel", "slots"]
UNPACKED = Path("/opt/unpacked")
TRUSTED = Path("/etc/edge-vessel/trusted.d")
# An emulated frame takes ten seconds, and a minute where others use the host's cores too.
SLOW_BOARD = "[Service]\nWatchdogSec=600\nTimeoutStartSec=600\nTimeoutStopSec=300\n"
CAMERA = [sys.executable, "/opt/board/usb_camera.py", "images"]


def installer() -> Path:
    (found,) = UNPACKED.glob("*/install.sh")
    return found


def unpack() -> None:
    shutil.rmtree(UNPACKED, ignore_errors=True)
    UNPACKED.mkdir()
    call("tar", "xf", "bundle.tar", "-C", UNPACKED)


def plugged_in() -> bool:
    return any(Path("/dev").glob("video*"))


def plug_in() -> subprocess.Popen[bytes]:
    """The USB cable; back when the kernel has made the camera's nodes."""
    camera = subprocess.Popen(CAMERA)

    def there() -> bool:
        nonlocal camera
        if camera.poll() is not None:  # the port is not free yet
            camera = subprocess.Popen(CAMERA)
        return plugged_in()

    until(there, "no /dev/video0")
    return camera


def pull_out(camera: subprocess.Popen[bytes]) -> None:
    camera.kill()
    camera.wait()
    until(lambda: not plugged_in(), "the camera's nodes stay")


def unit(name: str) -> str:
    """A property of the service, as systemd tells it."""
    return call("systemctl", "show", SERVICE, "--value", "-p", name).strip()


def active() -> str:
    """The release that the slots call active."""
    occupied = json.loads(call(*SLOTS, "status", "--json"))["active"]
    if occupied is None:
        return "the bundled artifact"
    return f"{occupied['release']['name']} version {occupied['release']['version']}"


def updated() -> str:
    """The release of the update."""
    manifest = json.loads(Path("update/manifest.json").read_text())
    return f"{manifest['name']} version {manifest['version']}"


def tampering() -> None:
    """Bundles that must not be installed; the whole one is left unpacked."""
    with step("a truncated bundle is refused") as details:
        content = Path("bundle.tar").read_bytes()
        half = Path("/opt/half.tar")
        half.write_bytes(content[: len(content) // 2])
        UNPACKED.mkdir()
        done = subprocess.run(["tar", "xf", half, "-C", UNPACKED], check=False, capture_output=True)
        expect(done.returncode, "tar takes half of a bundle")
        half.unlink()
        script = list(UNPACKED.glob("*/install.sh"))
        if script:
            call(script[0], code=4)
        details.append(f"tar: exit code {done.returncode}")
    with step("another maker's signature is refused") as details:
        unpack()
        sums = installer().parent / "SHA256SUMS"
        verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin", "-in", sums]
        verify += ["-sigfile", f"{sums}.sig", "-inkey"]
        if Path("maker.pub.pem").exists():
            call(*verify, "maker.pub.pem")
        if Path(f"{sums}.sig").exists():
            call(*verify, "other.pub.pem", code=1)
            details.append("openssl: exit code 1")
        else:
            details.append("the given bundle is unsigned: there is nothing to refuse")
    with step("a bundle that was changed is refused") as details:
        (wheel,) = installer().parent.glob("wheels/numpy-*.whl")
        whole = wheel.read_bytes()
        wheel.write_bytes(whole[:-1])
        call(installer(), code=4, says="is damaged")
        wheel.write_bytes(whole)
        details.append("exit code 4")


def unfit_board() -> None:
    """What install.sh must not go on with; nothing is written."""
    with step("a clock at 1970 is refused") as details:
        now_s = time.time()
        time.clock_settime(time.CLOCK_REALTIME, 86400)  # Linux refuses times before its boot
        try:
            call(installer(), code=3, says="the clock says 1970-01-02")
        finally:
            time.clock_settime(time.CLOCK_REALTIME, now_s)
        details.append("exit code 3")
    with step("a full disk is refused") as details:
        full = Path("/opt/edge-vessel")
        full.mkdir()
        call("mount", "-t", "tmpfs", "-o", "size=50m", "none", full)
        try:
            call(installer(), code=3, says="MB are needed")
        finally:
            call("umount", full)
            full.rmdir()
        expect(not Path("/usr/local/bin/edge-vessel").exists(), "a refused bundle is installed")
        details.append("exit code 3")


def installation() -> subprocess.Popen[bytes]:
    with step("camera and power meter are plugged in"):
        call(sys.executable, "/opt/board/ina226.py", "start", "5.0", "1.8")
        call("modprobe", "-a", "vhci-hcd", "uvcvideo")
        camera = plug_in()
    drop_in = Path(f"/etc/systemd/system/{SERVICE}.service.d/slow-board.conf")
    drop_in.parent.mkdir()
    drop_in.write_text(SLOW_BOARD)
    with step("install.sh installs it offline") as details:
        said = call(installer(), says="the main job can run")
        details.append(next(line for line in said.splitlines() if line.startswith("installed")))
    with step("systemd has the service ready with its first frame") as details:
        until(lambda: unit("ActiveState") == "active", "the service is not active")
        expect(unit("NRestarts") == "0", f"NRestarts {unit('NRestarts')}")
        details.append(f"Type={unit('Type')}, camera {Path('/dev/edge-vessel-camera').readlink()}")
    with step("the service runs in its sandbox") as details:
        details.append(sandbox())
    with step("the watchdog is fed by frames"):
        before = unit("WatchdogTimestampMonotonic")
        until(lambda: unit("WatchdogTimestampMonotonic") != before, "the watchdog is not fed")
    with step("the service stops in order") as details:
        call("systemctl", "stop", SERVICE)
        expect(unit("Result") == "success", f"Result {unit('Result')}")
        details.append(f"Result={unit('Result')}")
    return camera


def sandbox() -> str:
    """What the kernel and the journal tell of it."""
    text = Path(f"/proc/{unit('MainPID')}/status").read_text()
    status = dict(line.split(":\t", 1) for line in text.splitlines())
    expect(status["NoNewPrivs"].strip() == "1", "no NoNewPrivileges")
    expect(status["Seccomp"].strip() == "2", "no seccomp filter")
    expect(int(status["CapBnd"], 16) == 0, f"capabilities {status['CapBnd']}")
    journal = call("journalctl", "-u", SERVICE, "-o", "cat", "--no-pager")
    missing = [line for line in journal.splitlines() if "not support" in line]
    expect(not missing, "; ".join(missing))
    return "no new privileges, system calls filtered, no capability; no directive unsupported"


def use(camera: subprocess.Popen[bytes]) -> None:
    with step("the doctor sees camera and meter") as details:
        report = json.loads(call("edge-vessel", "doctor", "--model", MODEL, "--json"))
        Path("doctor.json").write_text(json.dumps(report))
        checks = {check["name"]: check for check in report["checks"]}
        for name in ("cameras", "meter"):
            expect(checks[name]["status"] == "ok", f"{name}: {checks[name]}")
            details.append(checks[name]["detail"])
    with step("an eye is segmented; the cable is pulled and put back") as details:
        eye(camera)
        summary = json.loads(Path("summary.json").read_text())
        # Beside the cable's: where others use the host's cores too, the emulated camera stalls.
        expect(summary["losses"] == losses(), f"losses {summary['losses']}, told {losses()}")
        power = summary["power"]
        expect(power["kind"] == "measured", f"power {power}")
        details.append(f"{summary['processed']} frames, {power['mean_power_w']:.2f} W")


def losses() -> int:
    """How often frames.jsonl tells that the camera was lost, and came back before the next time."""
    states = re.findall('"state":"(lost|ok)"', Path("frames.jsonl").read_text())
    return sum(state == "lost" for state, _ in itertools.groupby(states))


def eye(camera: subprocess.Popen[bytes]) -> None:
    """Four frames of the camera, which goes away after the first: the second is at work by then,
    and the third may wait for it."""
    command = ["edge-vessel", "run", "--slots", "--camera", "/dev/edge-vessel-camera"]
    command += ["--max-frames", "4", "--camera-timeout", "200", "--json"]
    command += ["--jsonl", "frames.jsonl", "--output", "maps", "--save", "mask"]
    frames = Path("frames.jsonl")

    def seen(words: str) -> bool:
        return run.poll() is not None or (frames.exists() and words in frames.read_text())

    with Path("summary.json").open("w") as out, Path("run.txt").open("w") as errors:
        run = subprocess.Popen(command, stdout=out, stderr=errors)
        until(lambda: seen('"type":"frame"'), "no frame")
        pull_out(camera)
        until(lambda: seen('"state":"lost"'), "the loss is not told")
        camera = plug_in()
        code = run.wait(LONG_S)
    expect(code == 0, f"exit code {code}: {Path('run.txt').read_text()}")


def updates() -> None:
    with step("an artifact for a newer core is refused") as details:
        run = ["edge-vessel", "run", "--input", "images", "--model", "newer", "--output", "none"]
        call(*run, "--trusted-key", "owner.pub.pem", code=4, says="asimddp")
        install = [*SLOTS, "install", "newer", "--trusted-key", "owner.pub.pem"]
        call(*install, code=4, says="asimddp")
        details.append("exit code 4, lacks asimddp")
    with step("an artifact of an unknown key is refused"):
        call(*SLOTS, "install", "update", code=4)
    TRUSTED.mkdir(parents=True, exist_ok=True)
    shutil.copy("owner.pub.pem", TRUSTED)
    call(*SLOTS, "confirm")
    old = active()
    Path("old.txt").write_text(old)
    for number, after_s in enumerate((random.uniform(0, 4), random.uniform(4, 12)), 1):  # noqa: S311
        with step(f"an update is killed, {number}") as details:
            killed(after_s)
            details.append(f"kill -9 after {after_s:.1f} s")
            details.append(f"active is {active()}")
            expect(active() in (old, updated()), "half an update is active")
    os.sync()
    # The power goes at any moment of an update, of which the host knows nothing.
    with step("the power is cut during an update") as details:
        after_s = random.uniform(0, 15)  # noqa: S311
        details.append(f"after {after_s:.1f} s")
        subprocess.Popen([*SLOTS, "install", "update"])
        time.sleep(after_s)
    Path("cut-power").touch()
    signal.pause()


def killed(after_s: float) -> None:
    install = subprocess.Popen([*SLOTS, "install", "update"], stdout=subprocess.DEVNULL)
    time.sleep(after_s)
    install.kill()
    install.wait()


def comes_back() -> None:
    with step("the board comes back and segments") as details:
        call(sys.executable, "/opt/board/ina226.py", "start", "5.0", "1.8")
        call("modprobe", "-a", "vhci-hcd", "uvcvideo")
        plug_in()
        until(lambda: unit("ActiveState") == "active", "the service is not active")
        details.append(f"runs {active()}")
        expect(active() in (Path("old.txt").read_text(), updated()), "half an update is active")
        call("systemctl", "stop", SERVICE)
    with step("the update is installed") as details:
        call(*SLOTS, "install", "update")
        details.append(f"active is {active()}")
        expect(active() == updated(), "the update is not active")
    with step("it is removed without a trace"):
        call(installer(), "--uninstall")
        for left in ("/opt/edge-vessel", "/var/lib/edge-vessel", "/etc/edge-vessel"):
            expect(not Path(left).exists(), f"{left} is left")


if __name__ == "__main__":
    up_s = float(Path("/proc/uptime").read_text().split()[0])
    process_1 = Path("/proc/1/comm").read_text().strip()
    tell(f"the board boots, {sys.argv[1]} the cut", up_s, [f"process 1 is {process_1}"])
    if sys.argv[1] == "before":
        tampering()
        unfit_board()
        use(installation())
        updates()
    else:
        comes_back()
