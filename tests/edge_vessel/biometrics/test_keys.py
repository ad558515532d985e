"""Where a store's key may come from, and what is no key."""

import ctypes
import os
import platform
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_vessel.biometrics import keys
from edge_vessel.errors import DeviceError, UsageError

_ADD_KEY, _KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(platform.machine(), (0, 0))
_REVOKE = 3


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    keys.generate(tmp_path / "key")
    return tmp_path / "key"


def test_a_new_key_is_its_owner_s(key_file):
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    key = keys.load(str(key_file))
    assert key.secret.hex() == key_file.read_text().strip()
    assert key.secret.hex() not in repr(key)
    with pytest.raises(UsageError, match="never overwritten"):
        keys.generate(key_file)
    keys.generate(key_file.with_name("other"))
    assert keys.load(str(key_file.with_name("other"))) != key


def test_derived_keys_differ_by_purpose_and_store(key_file):
    key = keys.load(str(key_file))
    derived = {key.derive(purpose, salt) for purpose in ("a", "b") for salt in (b"1", b"2")}
    assert len(derived) == 4
    assert {len(each) for each in derived} == {keys.KEY_BYTES}
    assert key.derive("a", b"1") == keys.load(str(key_file)).derive("a", b"1")


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"ab" * 32, 0o640, r"is open to others \(mode 0640\); run: chmod 600"),
        (b"ab" * 31, 0o600, "is no store key"),
        (b"AB" * 32, 0o600, "is no store key"),
        (b"ab" * 32 + b"x", 0o600, "is no store key .64 hex digits.; make one"),
        (b"", 0o600, "is no store key"),
        (bytes(32), 0o600, "is no store key"),
        (b"a" * 5000, 0o600, "is 5000 bytes; at most 1024"),
    ],
)
def test_no_key(key_file, content, mode, said):
    key_file.write_bytes(content)
    key_file.chmod(mode)
    with pytest.raises(UsageError, match=said) as caught:
        keys.load(str(key_file))
    assert "abab" not in str(caught.value).replace(str(key_file), "")


def test_neither_a_link_nor_nothing(key_file):
    key_file.with_name("link").symlink_to(key_file)
    with pytest.raises(UsageError, match="is a symbolic link"):
        keys.load(str(key_file.with_name("link")))
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        keys.load(str(key_file.with_name("missing")))


def test_systemd_credentials(key_file, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(key_file.parent))
    key_file.chmod(0o440)  # as systemd leaves them, with an access list
    assert keys.load("credential:key").secret.hex() == key_file.read_text().strip()
    for source, said in [
        ("credential:none", "cannot be read: No such file"),
        ("credential:../key", "is no key's name"),
        ("credential:", "is no key's name"),
    ]:
        with pytest.raises(UsageError, match=said):
            keys.load(source)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(UsageError, match="passes no credentials here"):
        keys.load("credential:key")


@pytest.fixture
def added() -> Iterator[tuple[str, bytes]]:
    """A key in the user's keyring, revoked afterwards: its name and secret."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    name, secret = f"edge-vessel-test-{secrets.token_hex(4)}", secrets.token_hex(32).encode()
    if not _ADD_KEY:
        pytest.skip("this architecture's add_key is not known here")
    serial = call(_ADD_KEY, b"user", name.encode(), secret, len(secret), ctypes.c_long(-4))
    if serial < 0:
        pytest.skip(f"this kernel keeps no keys here: {os.strerror(ctypes.get_errno())}")
    yield name, secret
    call(_KEYCTL, _REVOKE, serial)


def test_the_kernel_s_keyring(added):
    name, secret = added
    assert keys.load(f"keyring:{name}").secret.hex().encode() == secret
    with pytest.raises(UsageError, match=r"is not in the kernel's keyring; run: keyctl padd"):
        keys.load(f"keyring:{name}-other")
    with pytest.raises(UsageError, match="is no key's name"):
        keys.load("keyring:a b")


def test_a_machine_without_keyrings(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    with pytest.raises(DeviceError, match="no keyring here: Function not implemented; name a key"):
        keys.load("keyring:edge-vessel")
