"""A bundle is made by pip of real wheels, and installed as root would, beside this system."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from artifact_folders import called, files, golden_pair, manifest, npz, write
from worlds import bundle, in_a_world, unpack, with_artifact

from deploy.__main__ import main
from deploy.targets import TARGETS, accelerator_kind
from edge_vessel import artifact as artifact_module
from edge_vessel import signing
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import UsageError
from edge_vessel.manifest import Target

pytestmark = pytest.mark.slow


def test_two_runs_give_the_same_signed_bytes(
    made: Path, artifact: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    again = bundle(tmp_path / "b.tar", artifact, keys, "x86_64", "--kiosk")
    assert again.read_bytes() == made.read_bytes()
    folder = unpack(again, tmp_path / "unpacked")
    sums = (folder / "SHA256SUMS").read_bytes()
    key = signing.load_public_key(keys[1])
    assert signing.find_signer(sums, (folder / "SHA256SUMS.sig").read_bytes(), [key]) is key
    named = {line[66:]: line[:64] for line in sums.decode().splitlines()}
    found = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
    assert found == {*named, "SHA256SUMS", "SHA256SUMS.sig"}
    for name, digest in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    bill = json.loads((folder / "bill-of-materials.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    wheels = sorted((folder / "wheels").glob("*.whl"))
    libraries = [one for one in bill["components"] if one["type"] == "library"]
    assert len(libraries) == len(wheels)
    by_hash = {one["hashes"][0]["content"] for one in libraries}
    assert by_hash == {hashlib.sha256(one.read_bytes()).hexdigest() for one in wheels}
    assert all(one.get("licenses") for one in libraries if one["name"] == "numpy")
    opened = open_artifact(folder / "artifacts" / "tiny-16", [key])
    assert opened.trust.startswith("signed by")
    heavy = {"torch", "onnx", "apache_tvm", "scipy", "matplotlib", "lightning"}
    assert not {one.name.split("-")[0] for one in wheels} & heavy


def test_a_bundle_for_a_board_holds_its_wheels_and_is_refused_here(
    artifact: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    made = bundle(tmp_path / "b.tar", artifact, keys, "rk3399", "--kiosk")
    folder = unpack(made, tmp_path / "unpacked")
    names = {one.name.partition("-")[0] for one in (folder / "wheels").glob("*.whl")}
    assert {"fastapi", "uvicorn", "pydantic_core"} <= names
    for wheel in (folder / "wheels").glob("*.whl"):
        assert wheel.name.endswith(("-any.whl", "aarch64.whl")), wheel.name
    done = in_a_world(tmp_path, f"{folder}/install.sh --no-service")
    assert done.returncode == 4
    assert re.fullmatch(r"error: the bundle is for aarch64, this board is x86_64.*\n", done.stderr)


# Says so once the service's user has a process of that word, whose session is its own.
WATCHED = """
until grep -qs {word} /dev/null $(find /proc -maxdepth 1 -user edge-vessel -printf "%p/cmdline ")
do sleep 0.1; done 2>/dev/null && echo {word} as the service &
"""
SLOTS = "/var/lib/edge-vessel/slots"
# As releases before left them.
ROOTS = f"chown -R root: {SLOTS} && chmod 644 {SLOTS}/*.lock /run/*.lock"
LINKED = f"mv {SLOTS} {SLOTS}.aside && ln -s /usr/local/bin {SLOTS} && chown -h edge-vessel {SLOTS}"


def test_installed_upgraded_used_and_removed(
    made: Path, keys: tuple[Path, Path], samples: Path, tmp_path: Path
) -> None:
    newer = artifact_module.write(
        tmp_path / "newer", manifest(version=2), files(), signing.load_private_key(keys[0])
    )
    second = with_artifact(made, tmp_path / "second.tar", newer, keys[0])
    first, second = unpack(made, tmp_path / "one"), unpack(second, tmp_path / "two")
    photograph = samples / "chase_db1_07L.jpg"
    command = (
        f"{WATCHED.format(word='verify')} cd /tmp && {first}/install.sh --no-service; kill $!; "
        f"edge-vessel slots confirm >/dev/null && {ROOTS} && {second}/install.sh --no-service && "
        f"stat -c %a:%n /run/*.lock {SLOTS}/*.lock && find {SLOTS} ! -user edge-vessel; "
        f"{WATCHED.format(word='doctor')} {second}/install.sh --no-service; kill $!; "
        f"{LINKED} && {second}/install.sh --no-service; "
        f"stat -c %U:%n /usr/local/bin; ls /usr/local/bin/*.lock; "
        f"rm {SLOTS}; mv {SLOTS}.aside {SLOTS}; "
        "ls /opt/edge-vessel/releases | wc -l && "
        f"edge-vessel run --slots --input {photograph} --jsonl - --output /opt/maps && "
        "edge-vessel slots status && "
        "edge-vessel-bench latency --runs 1 --warmup 0 --force m2unet-fundus-544 && "
        "ls /opt/edge-vessel/current/share/artifacts /etc/edge-vessel/trusted.d && "
        "id edge-vessel && "
        "touch /usr/local/bin/edge-vessel.mine && "
        f"{first}/install.sh --uninstall && ls /opt /var/lib && "
        "ls /etc/edge-vessel /usr/local/bin/edge-vessel; id edge-vessel; "
        "ls /usr/local/bin/edge-vessel.mine"
    )
    done = in_a_world(tmp_path, command)
    told = done.stdout
    for word in ("verify", "doctor"):
        assert f"{word} as the service\n" in told, told + done.stderr
    for lock in ("/run/edge-vessel-install", f"{SLOTS}/install", f"{SLOTS}/state"):
        assert f"600:{lock}.lock\n" in told
    assert f"{SLOTS}\n" not in told, "slots that are not the service's"
    assert "root:/usr/local/bin\n" in told, "what a link leads to is given away"
    assert f"{SLOTS}/install.lock: cannot be opened: Permission denied" in done.stderr
    assert told.count("for x86_64; runs tiny-16") == 3, told + done.stderr
    assert told.count("installing into") == 2, "the third time there was nothing to install"
    assert "\n2\n" in told, "the release before is there to go back to"
    assert re.search(r'"type": ?"frame"', told), told + done.stderr
    assert "tiny-16 version 2, on trial" in told
    assert "m2unet-fundus-544 fp32" in told
    key = signing.fingerprint(signing.load_public_key(keys[1]))
    assert f"{key}.pem" in told
    assert "(edge-vessel)" in told
    assert told.rstrip().endswith("/opt:\nmaps\n\n/var/lib:\n/usr/local/bin/edge-vessel.mine"), told
    assert "no such user" in done.stderr
    assert done.stderr.count("No such file or directory") == 3, done.stderr


def _rewrite(folder: Path, name: str, old: str, new: str) -> None:
    """A line of a file, and its sum."""
    path, sums = folder / name, folder / "SHA256SUMS"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(path.read_text().replace(old, new))
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text(sums.read_text().replace(before, after))


SYSTEMCTL = """#!/bin/sh
echo systemctl "$@"
case $1 in
  is-enabled) [ -e /etc/enabled ] ;;
  disable) for unit; do
    case $unit in *.service) [ -e "/etc/systemd/system/$unit" ] || exit 1 ;; esac
  done ;;
esac
"""


def test_a_kiosk_starts_after_it_has_a_key_and_a_token(made: Path, tmp_path: Path) -> None:
    """Its unit is told to the system's manager, a simulated one, and the commands it says work."""
    folder = unpack(made, tmp_path / "with")
    gpu = unpack(made, tmp_path / "gpu")
    _rewrite(gpu, "bundle.conf", "accelerator=none", "accelerator=opencl")
    without = unpack(made, tmp_path / "without")
    _rewrite(without, "bundle.conf", "kiosk=yes", "kiosk=no")
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    command = (
        f"mkdir -p /run/systemd/system && install {tmp_path}/systemctl /usr/local/bin/systemctl && "
        "groupadd --force render && cd /tmp && umask 077 && "
        f"{gpu}/install.sh --kiosk > /opt/said && cat /opt/said && "
        'grep "^  [/a-z]" /opt/said | sh -e && '
        "stat -L -c %a:%n /opt/edge-vessel/current/bin /var/lib/edge-vessel/slots/a && "
        "stat -c %U:%a:%n /var/lib/edge-vessel/biometrics/tokens.json && "
        "stat -c %U:%a:%n /etc/edge-vessel/kiosk.key && "
        "groups edge-vessel && ls /etc/systemd/system/*.d && touch /etc/enabled && "
        "install -D /dev/null /etc/systemd/system/edge-vessel.service.d/gpu.conf && echo AGAIN && "
        f"{folder}/install.sh && ls -R /etc/systemd/system; {without}/install.sh; echo code $?; "
        "edge-vessel kiosk serve --camera synthetic: --key none --store /opt/none; echo code $?; "
        f"{folder}/install.sh --uninstall; ls /etc/systemd/system"
    )
    done = in_a_world(tmp_path, command)
    assert "AGAIN\n" in done.stdout, done.stdout + done.stderr
    told, again = done.stdout.split("AGAIN\n")
    assert told.count("systemctl enable") == 2, "said, then done as was said" + told + done.stderr
    assert "systemctl --no-block" not in told
    assert "edge-vessel:600:/var/lib/edge-vessel/biometrics/tokens.json\n" in told
    assert "root:600:/etc/edge-vessel/kiosk.key\n" in told
    for readable in ("/opt/edge-vessel/current/bin", "/var/lib/edge-vessel/slots/a"):
        assert f"755:{readable}\n" in told, "root's umask keeps the service's user out"
    assert re.search(r"^edge-vessel : .*\brender\b", told, re.MULTILINE), told
    assert "gpu.conf\n" in told, "the GPU's nodes are opened"
    assert "gpu.conf" not in again, "and closed"
    assert "systemctl --no-block restart edge-vessel-kiosk.service\n" in again
    upgraded, _, removed = again.partition("systemctl disable --now edge-vessel.service\n")
    assert removed.startswith("systemctl disable --now edge-vessel-kiosk.service\n"), removed
    assert "edge-vessel-kiosk.service\n" in upgraded
    assert "edge-vessel.service" not in upgraded
    assert "the bundle has no kiosk" in done.stderr
    assert "code 4\n" in upgraded
    assert "give a synthetic one a rate" in done.stderr, "FastAPI and uvicorn are there"
    assert "edge-vessel" not in removed.partition("edge-vessel is removed")[2]


@pytest.mark.parametrize(
    ("damage", "opt", "code", "says"),
    [
        (
            "printf x | tee -a {folder}/wheels/rich-*.whl >/dev/null",
            "1g",
            4,
            "is damaged: wheels/rich-",
        ),
        ("rm {folder}/SHA256SUMS", "1g", 4, "is no whole bundle"),
        ("touch {folder}/wheels/edge_vessel-99-py3-none-any.whl", "1g", 4, "is not of this bundle"),
        (
            "exec 8>/run/edge-vessel-install.lock; flock 8",
            "1g",
            3,
            "another installation is at work",
        ),
        ("touch /usr/local/bin/edge-vessel", "1g", 3, "edge-vessel: is not ours: move it away"),
        ("set -- --uninstall", "1g", 2, "nothing is installed here"),
        ("true", "40m", 3, "MB are needed, 40 are free: make room"),
        ("set -- --kiosk --no-service", "1g", 2, "--kiosk: is a service; leave --no-service out"),
        ("set -- --service", "1g", 2, "--service: unknown"),
        ("set --", "1g", 3, "systemd does not run here: install without the service"),
    ],
)
def test_what_cannot_be_installed_is_one_line_and_leaves_the_board_as_it_was(
    made: Path, tmp_path: Path, damage: str, opt: str, code: int, says: str
) -> None:
    folder = unpack(made, tmp_path / "unpacked")
    command = (
        f'set -- --no-service; {damage.format(folder=folder)}; {folder}/install.sh "$@"; '
        "code=$?; find /opt -type f | head; ls /var/lib; exit $code"
    )
    done = in_a_world(tmp_path, command, opt)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    shutil.rmtree(folder)


def test_a_first_artifact_that_fails_its_self_test_leaves_the_board_as_it_was(
    made: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    image, probability = golden_pair()
    wrong = npz(image=image, probability=1 - probability)
    bad = write(tmp_path / "bad", signing.load_private_key(keys[0]), golden=wrong)
    folder = unpack(with_artifact(made, tmp_path / "b.tar", bad, keys[0]), tmp_path / "unpacked")
    command = (
        f"{folder}/install.sh --no-service; code=$?; find /opt /var/lib /etc/edge-vessel; "
        "id edge-vessel; exit $code"
    )
    done = in_a_world(tmp_path, command)
    assert done.returncode == 4, done.stderr
    said, nothing, nobody = done.stderr.splitlines()
    assert said.startswith("error: "), said
    assert "self-test" in said
    assert re.search("/etc/edge-vessel.: No such file", nothing), nothing
    assert nobody.endswith("no such user"), nobody
    assert done.stdout.splitlines()[1:] == ["/opt", "/var/lib"]


@pytest.mark.parametrize(
    ("target", "needed", "says"),
    [
        ("rk3399", Target("any", "any", (), 1, 64), None),
        ("rk3399", Target("aarch64-linux-gnu", "cortex-a72", ("fp", "asimd"), 1, 64), None),
        ("rpi5", Target("aarch64-linux-gnu", "cortex-a76", ("asimddp",), 1, 64), None),
        ("jetson-orin", Target("aarch64-linux-gnu", "a", (), 1, 64, "cuda:sm_87"), None),
        ("rk3399", Target("x86_64-linux-gnu", "any", (), 1, 64), "is built for x86_64-linux"),
        ("rpi4", Target("aarch64-linux-gnu", "a", ("asimddp",), 1, 64), "features asimddp"),
        ("rpi4", Target("aarch64-linux-gnu", "a", (), 1, 64, "cuda:sm_87"), "needs a GPU"),
        ("jetson-orin", Target("aarch64-linux-gnu", "a", (), 1, 64, "cuda:sm_90"), "needs a GPU"),
    ],
)
def test_what_a_board_can_run(target: str, needed: Target, says: str | None) -> None:
    if says is None:
        TARGETS[target].check(needed, Path("a"))
        return
    with pytest.raises(UsageError, match=says):
        TARGETS[target].check(needed, Path("a"))


@pytest.mark.parametrize(
    ("accelerators", "kind"),
    [(("none",), "none"), (("none", "cuda:sm_87"), "cuda"), (("opencl", "cuda:sm_87"), "opencl")],
)
def test_whose_nodes_an_installation_opens(accelerators: tuple[str, ...], kind: str) -> None:
    targets = [Target("any", "any", (), 1, 64, accelerator) for accelerator in accelerators]
    assert accelerator_kind(targets) == kind


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--target", "rpi1"), 2, "argument --target"),
        (("--target", "rpi4", "--artifact", "none"), 2, "none"),
        (("--target", "rpi4", "--key", "none.key"), 2, "none.key"),
        (("--target", "rpi4", "--trust", "README.md"), 2, "README.md"),
        (("--target", "rpi4", "-o", "none/b.tar"), 2, "none: no such folder"),
        (("--target", "rpi4", "-o", "/dev/null"), 2, "/dev/null: is no regular file"),
        (("--target", "rpi4", "-o", "{key}", "--key", "{key}"), 2, "maker.key: is a key"),
    ],
)
def test_wrong_calls_are_one_line(
    tmp_path: Path, keys: tuple[Path, Path], more: tuple[str, ...], code: int, says: str
) -> None:
    more = tuple(one.format(key=keys[0]) for one in more)
    done = called(main, "bundle", "-o", tmp_path / "b.tar", *more)
    assert done.returncode == code, done.stderr
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b.tar").exists()
