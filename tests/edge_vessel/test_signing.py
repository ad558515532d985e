import os
import resource
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from artifact_folders import command
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge_vessel import signing
from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError

# RFC 8032, section 7.1, TEST 2.
RFC_SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
RFC_SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


def private_pem(key=None, protection=PLAIN) -> bytes:
    return (key or Ed25519PrivateKey.generate()).private_bytes(PEM, PKCS8, protection)


def public_pem(key) -> bytes:
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_signature_is_that_of_the_rfc():
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(RFC_SECRET))
    assert signing.sign(b"\x72", key).hex() == RFC_SIGNATURE


def test_generated_pair_signs_and_verifies(tmp_path):
    private_path, public_path = signing.generate(tmp_path / "site")
    assert (private_path.name, public_path.name) == ("site.key", "site.pub.pem")
    assert stat.S_IMODE(private_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(public_path.stat().st_mode) == 0o644
    public = signing.load_public_key(public_path)
    signature = signing.sign(b"manifest", signing.load_private_key(private_path))
    assert len(signature) == signing.SIGNATURE_BYTES
    assert signing.find_signer(b"manifest", signature, [public]) is public


def test_modes_do_not_depend_on_the_umask(tmp_path):
    before = os.umask(0o777)
    try:
        private_path, public_path = signing.generate(tmp_path / "site")
    finally:
        os.umask(before)
    assert stat.S_IMODE(private_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(public_path.stat().st_mode) == 0o644


KEYS = [Ed25519PrivateKey.generate() for _ in range(3)]
SIGNATURE = KEYS[1].sign(b"manifest")


@dataclass
class FindCase:
    name: str
    content: bytes
    signature: bytes
    trusted: list[int]
    signer: int | None


FIND_CASES = [
    FindCase("only key", b"manifest", SIGNATURE, [1], 1),
    FindCase("one of three", b"manifest", SIGNATURE, [0, 1, 2], 1),
    FindCase("no key trusted", b"manifest", SIGNATURE, [], None),
    FindCase("another key", b"manifest", SIGNATURE, [0, 2], None),
    FindCase("another content", b"Manifest", SIGNATURE, [1], None),
    FindCase("empty content", b"", SIGNATURE, [1], None),
    FindCase(
        "changed signature", b"manifest", bytes([SIGNATURE[0] ^ 1]) + SIGNATURE[1:], [1], None
    ),
    FindCase("short signature", b"manifest", SIGNATURE[:-1], [1], None),
    FindCase("long signature", b"manifest", SIGNATURE + b"\0", [1], None),
    FindCase("empty signature", b"manifest", b"", [1], None),
]


@pytest.mark.parametrize("case", FIND_CASES, ids=lambda case: case.name)
def test_find_signer(case):
    trusted: list[Ed25519PublicKey] = [KEYS[i].public_key() for i in case.trusted]
    signer = signing.find_signer(case.content, case.signature, trusted)
    expected = None if case.signer is None else signing.fingerprint(KEYS[case.signer].public_key())
    assert (None if signer is None else signing.fingerprint(signer)) == expected


ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
PASSPHRASE = serialization.BestAvailableEncryption(b"a passphrase")


@dataclass
class LoadCase:
    name: str
    private: bool
    content: bytes | None
    message: str
    mode: int = 0o600


LOAD_CASES = [
    LoadCase("missing", True, None, "cannot be read: No such file"),
    LoadCase("group may read", True, private_pem(), "mode 0640); run: chmod 600", 0o640),
    LoadCase("others may read", True, private_pem(), "mode 0604); run: chmod 600", 0o604),
    LoadCase("group may write", True, private_pem(), "mode 0620); run: chmod 600", 0o620),
    LoadCase("empty", True, b"", "is not a PEM private key"),
    LoadCase("garbage", True, b"\xff\x00" * 40, "is not a PEM private key"),
    LoadCase("truncated", True, private_pem()[:60], "is not a PEM private key"),
    LoadCase("passphrase", True, private_pem(protection=PASSPHRASE), "protected by a passphrase"),
    LoadCase("wrong type", True, private_pem(ELLIPTIC), "is not an Ed25519 key"),
    LoadCase("public for private", True, public_pem(KEYS[0]), "holds a public key"),
    LoadCase("public, open as it may be", True, public_pem(KEYS[0]), "holds a public key", 0o644),
    LoadCase("too large", True, b"x" * (signing.MAX_KEY_BYTES + 1), "at most 16384"),
    LoadCase("public missing", False, None, "cannot be read: No such file"),
    LoadCase("public garbage", False, b"hello", "is not a PEM public key"),
    LoadCase("public wrong type", False, public_pem(ELLIPTIC), "is not an Ed25519 public key"),
    LoadCase("private for public", False, private_pem(), "holds a private key"),
]


@pytest.mark.parametrize("case", LOAD_CASES, ids=lambda case: case.name)
def test_bad_key_files_are_named_in_one_line(case, tmp_path):
    path = tmp_path / "site.key"
    if case.content is not None:
        path.write_bytes(case.content)
        path.chmod(case.mode)
    load = signing.load_private_key if case.private else signing.load_public_key
    with pytest.raises(UsageError) as caught:
        load(path)
    text = str(caught.value)
    assert case.message in text
    assert str(path) in text
    assert "\n" not in text
    secret = (case.content or b"").decode("latin-1").split("-----")
    assert not any(len(line) > 20 and line in text for part in secret for line in part.split())


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused_without_waiting(kind, tmp_path):
    path = tmp_path / "site.key"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(UsageError, match="is not a regular file"):
        signing.load_public_key(path)


@pytest.mark.parametrize("existing", ["site.key", "site.pub.pem"])
@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_a_key_is_never_overwritten(existing, kind, tmp_path):
    path = tmp_path / existing
    path.write_text("mine") if kind == "file" else path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="never overwritten"):
        signing.generate(tmp_path / "site")
    assert [entry.name for entry in tmp_path.iterdir()] == [existing]
    assert kind != "file" or path.read_text() == "mine"


@pytest.mark.parametrize(
    ("path", "error"), [("/", UsageError), ("no/such/folder/site", DeviceError)]
)
def test_generate_where_nothing_can_be_written(path, error, tmp_path):
    with pytest.raises(error):
        signing.generate(tmp_path / path)


def test_trusted_keys_come_from_the_folder_and_by_name(tmp_path):
    folder = tmp_path / "trusted.d"
    folder.mkdir()
    (folder / "b.pem").write_bytes(public_pem(KEYS[1]))
    (folder / "a.pem").write_bytes(public_pem(KEYS[0]))
    (folder / "README").write_text("not a key")
    named = tmp_path / "c.pub"
    named.write_bytes(public_pem(KEYS[2]))
    found = signing.trusted_keys([named], folder)
    assert [signing.fingerprint(key) for key in found] == [
        signing.fingerprint(key.public_key()) for key in KEYS
    ]


def test_a_missing_trusted_folder_trusts_nobody(tmp_path):
    assert signing.trusted_keys((), tmp_path / "trusted.d") == ()


@dataclass
class TrustedCase:
    name: str
    content: bytes
    message: str


TRUSTED_CASES = [
    TrustedCase("garbage", b"x", "is not a PEM public key"),
    TrustedCase("a private key", private_pem(), "holds a private key"),
]


@pytest.mark.parametrize("case", TRUSTED_CASES, ids=lambda case: case.name)
def test_one_bad_trusted_key_is_an_error_and_no_skip(case, tmp_path):
    (tmp_path / "good.pem").write_bytes(public_pem(KEYS[0]))
    (tmp_path / "bad.pem").write_bytes(case.content)
    with pytest.raises(EdgeVesselError, match=case.message):
        signing.trusted_keys((), tmp_path)


def test_keygen_command_prints_the_fingerprint_and_no_secret(tmp_path):
    result = command("keygen", tmp_path / "site")
    assert result.returncode == 0
    public = signing.load_public_key(tmp_path / "site.pub.pem")
    assert signing.fingerprint(public) in result.stdout
    secret = Path(tmp_path / "site.key").read_text().splitlines()[1]
    assert secret not in result.stdout + result.stderr
    again = command("keygen", tmp_path / "site")
    assert again.returncode == UsageError.exit_code
    assert "never overwritten" in again.stderr


def test_keygen_onto_a_full_disk_leaves_no_half_key(tmp_path, monkeypatch):
    # The limit holds for coverage's own file as well.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    result = command("keygen", tmp_path / "site", preexec_fn=limit)
    assert result.returncode == DeviceError.exit_code
    assert "site.key: cannot be written: File too large" in result.stderr
    assert list(tmp_path.iterdir()) == []
