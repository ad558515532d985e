import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from artifact_folders import (
    SIZE,
    files,
    flip,
    golden_pair,
    manifest,
    model,
    write,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_vessel import artifact as artifacts
from edge_vessel import models, signing
from edge_vessel.artifact import MAX_MANIFEST_BYTES, open_artifact
from edge_vessel.engines.onnx import OnnxEngine
from edge_vessel.errors import ArtifactError, UsageError
from edge_vessel.manifest import MANIFEST, SIGNATURE, Target
from edge_vessel.target import Machine, check_target, cpu_features

KEY = Ed25519PrivateKey.generate()
OTHER_KEY = Ed25519PrivateKey.generate()
TRUSTED = (KEY.public_key(),)
FINGERPRINT = signing.fingerprint(KEY.public_key())
ELSEWHERE = Target("s390x-linux-gnu", "z16", (), 4, 256)
FEATURELESS = Target("any", "generic", ("no_such_feature",), 1, 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny", KEY)


def test_what_was_written_comes_back(folder):
    opened = open_artifact(folder, TRUSTED)
    assert opened.trust == f"signed by {FINGERPRINT}"
    assert opened.warning is None
    assert opened.manifest_sha256 == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert {name: opened.read(name) for name in files()} == files()
    assert replace(opened.manifest, files=()) == manifest()


def test_the_same_content_gives_the_same_bytes(tmp_path):
    one, two = write(tmp_path / "one", KEY), write(tmp_path / "two", KEY)
    for name in (MANIFEST, SIGNATURE, *files()):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def resign(folder: Path, content: bytes) -> None:
    """What a failed build step of the owner would leave: a good signature on a bad manifest."""
    (folder / MANIFEST).write_bytes(content)
    (folder / SIGNATURE).write_bytes(signing.sign(content, KEY))


def edit(folder: Path, change: Callable[[dict], None]) -> None:
    document = json.loads((folder / MANIFEST).read_bytes())
    change(document)
    resign(folder, json.dumps(document).encode())


def link(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)


def pipe(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)


def other_version(folder: Path) -> None:
    """A signature of the right key on another release's manifest: a rollback by mixing."""
    other = artifacts.write(folder.parent / "v2", manifest(version=2), files(), KEY)
    (folder / SIGNATURE).write_bytes((other / SIGNATURE).read_bytes())


@dataclass
class DamageCase:
    name: str
    damage: Callable[[Path], object]
    message: str


NO_SIGNER = "none of the 1 trusted keys made this signature"
DAMAGE_CASES = [
    DamageCase("manifest changed", lambda f: flip(f / MANIFEST, 30), NO_SIGNER),
    DamageCase("manifest space added", lambda f: (f / MANIFEST).open("a").write(" "), NO_SIGNER),
    DamageCase("manifest truncated", lambda f: os.truncate(f / MANIFEST, 100), NO_SIGNER),
    DamageCase("manifest missing", lambda f: (f / MANIFEST).unlink(), "manifest.json: cannot be"),
    DamageCase("manifest a link", lambda f: link(f, MANIFEST), "manifest.json: is a symbolic"),
    DamageCase("manifest a pipe", lambda f: pipe(f, MANIFEST), "json: is not a regular file"),
    DamageCase("signature changed", lambda f: flip(f / SIGNATURE, 0), NO_SIGNER),
    DamageCase("signature truncated", lambda f: os.truncate(f / SIGNATURE, 63), NO_SIGNER),
    DamageCase("signature empty", lambda f: os.truncate(f / SIGNATURE, 0), NO_SIGNER),
    DamageCase("signature long", lambda f: os.truncate(f / SIGNATURE, 65), "is 65 bytes; at most"),
    DamageCase("signature missing", lambda f: (f / SIGNATURE).unlink(), "there is no signature"),
    DamageCase("signature a link", lambda f: link(f, SIGNATURE), "manifest.sig: is a symbolic"),
    DamageCase("signature of another release", other_version, NO_SIGNER),
    DamageCase(
        "signature of another key",
        lambda f: (f / SIGNATURE).write_bytes(OTHER_KEY.sign((f / MANIFEST).read_bytes())),
        NO_SIGNER,
    ),
    DamageCase("model changed first", lambda f: flip(f / "model.onnx", 0), "onnx: was changed"),
    DamageCase("model changed last", lambda f: flip(f / "model.onnx", -1), "onnx: was changed"),
    DamageCase("golden changed", lambda f: flip(f / "golden.npz", 50), "npz: was changed"),
    DamageCase("model truncated", lambda f: os.truncate(f / "model.onnx", 9), "onnx: is 9 bytes"),
    DamageCase("model grown", lambda f: os.truncate(f / "model.onnx", 2**33), "8589934592 bytes"),
    DamageCase("model missing", lambda f: (f / "model.onnx").unlink(), "No such file"),
    DamageCase("model a link", lambda f: link(f, "model.onnx"), "model.onnx: is a symbolic link"),
    DamageCase("model a pipe", lambda f: pipe(f, "model.onnx"), "onnx: is not a regular file"),
    DamageCase(
        "a stray library",
        lambda f: (f / "libtvm_runtime.so").write_bytes(b"x"),
        "is not named in manifest.json",
    ),
    DamageCase("a stray folder", lambda f: (f / "more").mkdir(), "is not named in manifest.json"),
    DamageCase(
        "climbing name",
        lambda f: edit(f, lambda m: m["files"][0].update(name="../golden.npz")),
        "files[0].name: '../golden.npz' is not a plain file name",
    ),
    DamageCase(
        "absolute name",
        lambda f: edit(f, lambda m: m["files"][0].update(name="/etc/hostname")),
        "files[0].name: '/etc/hostname' is not a plain file name",
    ),
    DamageCase(
        "unknown schema",
        lambda f: edit(f, lambda m: m.update(schema_version=3)),
        "schema_version: 3 is unknown",
    ),
    DamageCase("signed nonsense", lambda f: resign(f, b"nonsense"), "is not JSON"),
    DamageCase("signed key twice", lambda f: resign(f, b'{"a": 1, "a": 2}'), "stands twice"),
    DamageCase("signed NaN", lambda f: resign(f, b'{"a": NaN}'), "NaN: is not a JSON number"),
    DamageCase(
        "huge manifest", lambda f: resign(f, b" " * (MAX_MANIFEST_BYTES + 1)), "at most 1048576"
    ),
]


@pytest.mark.parametrize("case", DAMAGE_CASES, ids=lambda case: case.name)
def test_damage_is_refused(case, folder):
    case.damage(folder)
    with pytest.raises(ArtifactError) as caught:
        open_artifact(folder, TRUSTED)
    text = str(caught.value)
    assert case.message in text
    assert str(folder) in text
    assert "\n" not in text


@pytest.mark.parametrize("content", [b"nonsense", b"[" * 100_000, b'{"a": NaN}', b"\xff"])
def test_nothing_is_parsed_before_the_signature_holds(content, folder):
    """What the parser would complain about never gets to it: the signature speaks first."""
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match=NO_SIGNER):
        open_artifact(folder, TRUSTED)


UNSIGNED_DAMAGE = [
    case for case in DAMAGE_CASES if case.name.startswith(("model", "a stray", "climb"))
]


@pytest.mark.parametrize("case", UNSIGNED_DAMAGE, ids=lambda case: case.name)
def test_allow_unsigned_waives_the_signature_and_nothing_else(case, folder):
    case.damage(folder)
    with pytest.raises(ArtifactError) as caught:
        open_artifact(folder, (), allow_unsigned=True)
    assert case.message in str(caught.value)


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "shape"),
    [
        ("Flatten", ["logit"], {}, [1, SIZE * SIZE]),
        ("Squeeze", ["logit"], {}, [SIZE, SIZE]),
        ("Concat", ["logit", "logit"], {"axis": 1}, [1, 2, SIZE, SIZE]),
        ("Concat", ["logit", "logit"], {"axis": 0}, [2, 1, SIZE, SIZE]),
        ("Sigmoid", ["logit"], {}, ["n", 1, "h", "w"]),
    ],
    ids=["rank 2", "rank 2 squeezed", "two channels", "two frames", "sound, with open sizes"],
)
def test_an_output_that_is_no_map_is_refused_at_once(operator, inputs, attributes, shape, tmp_path):
    network = onnx.load_from_string(model())
    del network.graph.node[1], network.graph.output[:]
    network.graph.node.append(onnx.helper.make_node(operator, inputs, ["map"], **attributes))
    network.graph.output.append(
        onnx.helper.make_tensor_value_info("map", onnx.TensorProto.FLOAT, shape)
    )
    folder = write(tmp_path / "tiny", model=network.SerializeToString())
    opened = open_artifact(folder, allow_unsigned=True)
    image, expected = golden_pair()
    if len(shape) == 4 and shape[:2] == ["n", 1]:
        assert np.abs(OnnxEngine(opened, 1).run(image) - expected).max() < 1e-3
        return
    with pytest.raises(ArtifactError, match=r"model\.onnx: gives .*not one map") as caught:
        OnnxEngine(opened, 1)
    assert "\n" not in str(caught.value)


@dataclass
class TrustCase:
    name: str
    key: Ed25519PrivateKey | None
    allow_unsigned: bool
    pinned: bool
    trust: str | None


TRUST_CASES = [
    TrustCase("signed", KEY, False, False, f"signed by {FINGERPRINT}"),
    TrustCase("signed, unsigned allowed", KEY, True, False, f"signed by {FINGERPRINT}"),
    TrustCase("unsigned", None, False, False, None),
    TrustCase("unsigned, allowed", None, True, False, "unsigned"),
    TrustCase("another key", OTHER_KEY, False, False, None),
    TrustCase("another key, unsigned allowed", OTHER_KEY, True, False, "unsigned"),
    TrustCase("pinned", None, False, True, "pinned"),
    TrustCase("pinned and another key", OTHER_KEY, False, True, "pinned"),
]


@pytest.mark.parametrize("case", TRUST_CASES, ids=lambda case: case.name)
def test_trust(case, tmp_path, monkeypatch):
    folder = write(tmp_path / "tiny", case.key)
    if case.pinned:
        digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        monkeypatch.setitem(models.PINNED, "tiny", digest)
    if case.trust is None:
        advice = "--trusted-key" if case.key else "artifact sign.*--allow-unsigned"
        with pytest.raises(ArtifactError, match=advice):
            open_artifact(folder, TRUSTED, case.allow_unsigned)
        return
    opened = open_artifact(folder, TRUSTED, case.allow_unsigned)
    assert opened.trust == case.trust
    assert (opened.warning is not None) == (case.trust == "unsigned")
    assert opened.warning is None or str(folder / MANIFEST) in opened.warning


def test_a_pin_holds_for_the_manifest_and_so_for_every_file(tmp_path, monkeypatch):
    folder = write(tmp_path / "tiny")
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    monkeypatch.setitem(models.PINNED, "tiny", digest)
    flip(folder / "model.onnx", 5)
    with pytest.raises(ArtifactError, match="was changed"):
        open_artifact(folder, ())


def test_a_link_to_the_folder_is_followed_once(folder):
    slot = folder.parent / "current"
    slot.symlink_to(folder)
    opened = open_artifact(slot, TRUSTED)
    slot.unlink()
    slot.symlink_to("/nowhere")
    assert opened.read("model.onnx") == files()["model.onnx"]


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_read_hands_out_only_the_bytes_that_were_signed(name, folder):
    opened = open_artifact(folder, TRUSTED)
    flip(folder / name, 3)
    with pytest.raises(ArtifactError, match="was changed"):
        opened.read(name)


@pytest.mark.parametrize("name", ["model.so", "../model.onnx", MANIFEST, "", "\x1b[2J"])
def test_read_of_what_the_manifest_does_not_name(name, folder):
    with pytest.raises(ArtifactError, match=r"names no .*; it names golden.npz, model.onnx"):
        open_artifact(folder, TRUSTED).read(name)


@pytest.mark.parametrize("path", ["no/such/folder", "tiny/manifest.json"])
def test_a_path_that_is_no_folder_is_a_usage_error(path, folder):
    with pytest.raises(UsageError):
        open_artifact(folder.parent / path, TRUSTED)


X86 = "processor : 0\nflags\t\t: fpu sse2 avx2\n\nprocessor : 1\nflags : fpu sse2 avx2 avx512f\n"
ARM = "processor\t: 0\nBogoMIPS : 48.00\nFeatures\t: fp asimd crc32\nCPU part\t: 0xd08\n"


@pytest.mark.parametrize(
    ("cpuinfo", "features"),
    [
        (X86, {"fpu", "sse2", "avx2"}),
        (ARM, {"fp", "asimd", "crc32"}),
        ("", set()),
        ("flags", set()),
    ],
)
def test_cpu_features_are_those_that_all_cores_share(cpuinfo, features):
    assert cpu_features(cpuinfo) == features


@dataclass
class TargetCase:
    name: str
    triple: str
    features: tuple[str, ...]
    machine: str
    message: str | None


A72 = "aarch64-linux-gnu"
TARGET_CASES = [
    TargetCase("portable", "any", (), "riscv64", None),
    TargetCase("same", A72, (), "aarch64", None),
    TargetCase("same and features", A72, ("asimd", "crc32"), "aarch64", None),
    TargetCase("arm64", "arm64-apple-darwin", (), "aarch64", None),
    TargetCase("32 bit", "armv7a-linux-gnueabihf", (), "arm", None),
    TargetCase("other", A72, (), "x86_64", f"built for {A72} (cpu x); this machine is x86_64"),
    TargetCase("64 bit code under 32", A72, (), "arm", "this machine is arm;"),
    TargetCase(
        "feature",
        A72,
        ("asimd", "asimddp"),
        "aarch64",
        "needs the CPU features asimd asimddp (cpu x); this machine (aarch64) has asimd and lacks "
        "asimddp",
    ),
    TargetCase("feature of portable", "any", ("avx2",), "aarch64", "has none of them and lacks"),
]


@pytest.mark.parametrize("case", TARGET_CASES, ids=lambda case: case.name)
def test_check_target(case):
    target = Target(case.triple, "x", case.features, 1, 64)
    machine = Machine(case.machine, cpu_features(ARM))
    if case.message is None:
        check_target(target, machine, Path("a"))
        return
    with pytest.raises(ArtifactError) as caught:
        check_target(target, machine, Path("a"))
    assert case.message in str(caught.value)


@pytest.mark.parametrize("target", [ELSEWHERE, FEATURELESS], ids=["architecture", "feature"])
def test_no_byte_of_another_machines_artifact_is_handed_out(target, tmp_path):
    opened = open_artifact(write(tmp_path / "tiny", KEY, target), TRUSTED)
    with pytest.raises(ArtifactError, match="this machine"):
        opened.read("model.onnx")
