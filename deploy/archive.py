"""The bundle as one file: a tar archive in which nothing depends on who packed it, or when."""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_vessel import signing
from edge_vessel.errors import DeviceError

SUMS, SUMS_SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
Content = bytes | Path


def pack(
    output: Path,
    folder: str,
    files: Mapping[str, Content],
    key: Ed25519PrivateKey | None,
    epoch: int,
) -> None:
    """Writes the archive, whole or not at all, `SHA256SUMS` and its signature inside.

    Uncompressed: wheels are compressed already, and every board has tar.

    Args:
        output: the archive.
        folder: that holds all files in it.
        files: by their path in `folder`; those that end in .sh may be executed.
        key: signs the sums; None for no signature.
        epoch: seconds since 1970, the time of every file.

    Raises:
        DeviceError: the disk.
    """
    names = sorted(files)
    sums = "".join(f"{_sha256(files[name])}  {name}\n" for name in names).encode()
    whole: dict[str, Content] = {SUMS: sums, **{name: files[name] for name in names}}
    if key is not None:
        whole[SUMS_SIGNATURE] = signing.sign(sums, key)
    try:
        with tempfile.NamedTemporaryFile(
            dir=output.parent, prefix=f".{output.name[:100]}.", delete=False
        ) as file:
            temporary = Path(file.name)
            try:
                with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
                    for name, content in sorted(whole.items()):
                        _add(archive, f"{folder}/{name}", content, epoch)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o644)
                temporary.replace(output)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise DeviceError(
            f"{output}: cannot be written: {error.strerror or error}: make room, or name another "
            "folder"
        ) from error


def _sha256(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: Content, epoch: int) -> None:
    about = tarfile.TarInfo(name)
    about.mtime, about.mode = epoch, 0o755 if name.endswith(".sh") else 0o644
    if isinstance(content, bytes):
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
        return
    about.size = content.stat().st_size
    with content.open("rb") as file:
        archive.addfile(about, file)
