"""Volumes as files: each form gives the same voxels, each damage one line."""

import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from nobody import as_nobody
from octa_folders import voxels

from edge_vessel.errors import UsageError
from edge_vessel.octa.volume import NAMES, is_volume, open_volume

SHAPE = DEPTH, HEIGHT, WIDTH = 8, 18, 12
VOXELS = voxels(*SHAPE)


def npy(folder: Path, array=VOXELS) -> str:
    path = folder / "eye.npy"
    np.save(path, array)
    return str(path)


def scans(folder: Path, volume=VOXELS, suffix: str = "bmp") -> str:
    """OCT/1.bmp to OCT/18.bmp, and OCTA."""
    for name, channel in zip(NAMES, volume, strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(channel.shape[1]):
            path = folder / name / f"{number + 1}.{suffix}"
            cv2.imwrite(str(path), np.ascontiguousarray(channel[:, number]))
    return str(folder)


def coloured(folder: Path) -> str:
    """Grey B-scans as 24-bit pictures."""
    scans(folder)
    for path in folder.glob("*/*.bmp"):
        cv2.imwrite(str(path), cv2.cvtColor(cv2.imread(str(path), 0), cv2.COLOR_GRAY2BGR))
    return str(folder)


def pages(channel: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(channel[:, number]) for number in range(channel.shape[1])]


def tiff(folder: Path, volume=VOXELS, name: str = "eye.tif") -> str:
    path = folder / name
    cv2.imwritemulti(str(path), [page for channel in volume for page in pages(channel)])
    return str(path)


def tiffs_in_folder(folder: Path) -> str:
    for name, channel in zip(NAMES, VOXELS, strict=True):
        tiff(folder, channel[None], f"{name}.tif")
    return str(folder)


def two_paths(folder: Path) -> str:
    scans(folder)
    return f"{folder / 'OCT'},{folder / 'OCTA'}"


def two_npy(folder: Path) -> str:
    """The first in C order, the second in Fortran's."""
    folder.mkdir(exist_ok=True)
    np.save(folder / "OCT.npy", VOXELS[0])
    np.save(folder / "OCTA.npy", np.asfortranarray(VOXELS[1]))
    return str(folder)


def beside(path: str, name: str) -> str:
    """A copy of the fifth B-scan, under another name."""
    for folder in (Path(path) / one for one in NAMES):
        shutil.copy(folder / "5.bmp", folder / name)
    return path


def hidden(folder: Path) -> str:
    """As a Mac leaves them."""
    for path in list(Path(scans(folder)).glob("*/*.bmp")):
        (path.parent / f"._{path.name}").write_bytes(b"Mac OS X")
    return str(folder)


def renamed(folder: Path) -> str:
    """eye2_008.bmp to eye2_025.bmp."""
    for path in list(Path(scans(folder)).glob("*/*.bmp")):
        path.rename(path.with_name(f"eye2_{int(path.stem) + 7:03}.bmp"))
    return str(folder)


FORMS: dict[str, Callable[[Path], str]] = {
    "npy": npy,
    "npy, Fortran order": lambda f: npy(f, np.asfortranarray(VOXELS)),
    "npy, 16 bits": lambda f: npy(f, VOXELS.astype(np.uint16) * 257),
    "npy, float32": lambda f: npy(f, VOXELS.astype(np.float32) / 255),
    "npy, 16 bits, big-endian": lambda f: npy(f, (VOXELS.astype(np.uint16) * 257).astype(">u2")),
    "npy, float32, big-endian": lambda f: npy(f, (VOXELS / 255).astype(">f4")),
    "two npy": two_npy,
    "B-scans": scans,
    "B-scans and hidden files": hidden,
    "B-scans, other names": renamed,
    "B-scans, PNG": lambda f: scans(f, suffix="png"),
    "B-scans, 16 bits": lambda f: scans(f, VOXELS.astype(np.uint16) * 257, "png"),
    "B-scans, 24 bits": coloured,
    "TIFF": tiff,
    "TIFF, 16 bits": lambda f: tiff(f, VOXELS.astype(np.uint16) * 257),
    "two TIFFs": tiffs_in_folder,
    "two paths": two_paths,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_voxels(form, tmp_path):
    uri = FORMS[form](tmp_path)
    assert is_volume(uri)
    volume = open_volume(uri, NAMES, DEPTH)
    assert volume.shape == SHAPE
    assert np.abs(volume.band(3, 11, DEPTH) - VOXELS[:, :, 3:11]).max() < 1e-3


def test_a_deeper_volume_is_averaged_by_blocks(tmp_path):
    volume = open_volume(npy(tmp_path), NAMES, DEPTH // 4)
    expected = VOXELS[:, :, 2:5].reshape(2, 2, 4, 3, WIDTH).mean(axis=2)
    assert np.abs(volume.band(2, 5, 2) - expected).max() < 1e-3


def test_one_channel_of_two(tmp_path):
    band = open_volume(scans(tmp_path), ("OCTA",), DEPTH).band(0, HEIGHT, DEPTH)
    assert (band[0] == VOXELS[1]).all()


def cut(path: str, share: float = 0.5) -> str:
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(len(content) * share)])
    return path


def _truncated(folder: Path) -> str:
    cut(f"{scans(folder)}/OCTA/5.bmp")
    return str(folder)


def _edit(path: str, number: str, content: bytes) -> str:
    (Path(path) / "OCTA" / number).write_bytes(content)
    return path


def _ragged(folder: Path) -> str:
    scans(folder)
    cv2.imwrite(str(folder / "OCTA" / "5.bmp"), VOXELS[1, :6, 4])
    return str(folder)


def _colour(folder: Path) -> str:
    scans(folder)
    picture = np.random.default_rng(0).integers(0, 256, (DEPTH, WIDTH, 3), np.uint8)
    cv2.imwrite(str(folder / "OCTA" / "5.bmp"), picture)
    return str(folder)


def _lacking(folder: Path) -> str:
    scans(folder)
    for path in (folder / "OCTA").iterdir():
        path.unlink()
    (folder / "OCTA").rmdir()
    return str(folder)


def _unequal(folder: Path) -> str:
    scans(folder)
    (folder / "OCTA" / "18.bmp").unlink()
    return str(folder)


def _float(value: float) -> np.ndarray:
    array = VOXELS.astype(np.float32) / 255
    array[1, 2, 3, 4] = value
    return array


def _header(folder: Path, header: str, size: int = 9000) -> str:
    path = folder / "eye.npy"
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little"))
        file.write(f"{header}\n".encode())
        file.truncate(size)
    return str(path)


def _shape(folder: Path, shape: str, size: int = 9000) -> str:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape})}}"
    return _header(folder, header.replace("10**11", str(10**11)), size)


def _huge(folder: Path) -> str:
    return _shape(folder, "2, 4096, 4, 4096", 2 * 4096 * 4 * 4096 + 200)


def _zipped(folder: Path) -> str:
    np.savez(folder / "eye.npz", VOXELS)
    return str((folder / "eye.npz").rename(folder / "eye.npy"))


def _gap(folder: Path) -> str:
    scans(folder)
    for name in NAMES:
        (folder / name / "5.bmp").unlink()
    return str(folder)


def _bomb(folder: Path) -> str:
    """A PNG of a hundred bytes that says it is 60,000 pixels wide and high."""
    path = Path(scans(folder, suffix="png")) / "OCTA" / "5.png"
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    return str(folder)


@dataclass(frozen=True)
class Damage:
    name: str
    make: Callable[[Path], str]
    says: str


DAMAGES = [
    Damage("absent", lambda f: str(f / "eye.npy"), "no such volume"),
    Damage("a photograph", lambda f: str(Path(scans(f)) / "OCT" / "1.bmp"), "is no volume"),
    Damage("npy, truncated", lambda f: cut(npy(f)), "damaged or no .npy"),
    Damage("npy, empty", lambda f: cut(npy(f), 0), "damaged or no .npy"),
    Damage("npy, objects", lambda f: npy(f, np.array([None])), "damaged or no .npy"),
    Damage("npy, flat", lambda f: npy(f, VOXELS[0]), "not (channels, depth, height, width)"),
    Damage("npy, three channels", lambda f: npy(f, VOXELS[[0, 1, 1]]), "3 channels; save OCT"),
    Damage("npy, no voxels", lambda f: npy(f, VOXELS[:, :, :0]), "is (2, 8, 0, 12), not"),
    Damage("npy, integers", lambda f: npy(f, VOXELS.astype(np.int32)), "int32 voxels; save it as"),
    Damage("npy, texts", lambda f: npy(f, VOXELS.astype("U3")), "<U3 voxels; save it as"),
    Damage("npy, dates", lambda f: npy(f, VOXELS.astype("M8[s]")), "datetime64[s] voxels; save"),
    Damage("npy, records", lambda f: npy(f, VOXELS.view([("a", "u1")])), "voxels; save it as"),
    Damage("npy, five axes", lambda f: npy(f, VOXELS[None]), "is (1, 2, 8, 18, 12), not"),
    Damage("npy, zipped", _zipped, "damaged or no .npy"),
    Damage("npy, nested header", lambda f: _header(f, "(" * 6000), "damaged or no .npy"),
    Damage("npy, deep header", lambda f: _header(f, "-" * 9000 + "1"), "damaged or no .npy"),
    Damage("npy, 10^22 voxels", lambda f: _shape(f, "2, 8, 10**11, 10**11"), "damaged or no .npy"),
    Damage("npy, negative", lambda f: _shape(f, "2, -8, -18, 12"), "damaged or no .npy"),
    Damage("npy, NaN", lambda f: npy(f, _float(np.nan)), "not finite"),
    Damage("npy, infinite", lambda f: npy(f, _float(np.inf)), "not finite"),
    Damage("npy, 0 to 255", lambda f: npy(f, _float(3.0)), "voxels from 0 to 3; floating"),
    Damage("npy, depth", lambda f: npy(f, VOXELS[:, :7]), "whole multiples of 8"),
    Damage("npy, huge", _huge, "4 B-scans of 4096x4096 voxels; at most"),
    Damage("B-scans, truncated", _truncated, "5.bmp: damaged B-scan"),
    Damage("B-scans, empty", lambda f: _edit(scans(f), "5.bmp", b""), "5.bmp: damaged B-scan"),
    Damage("B-scans, text", lambda f: _edit(scans(f), "5.bmp", b"scan"), "5.bmp: damaged B-scan"),
    Damage("B-scans, ragged", _ragged, "5.bmp: is 6x12, the first B-scan is 8x12"),
    Damage("B-scans, colour", _colour, "5.bmp: is a colour picture"),
    Damage("B-scans, no OCTA", _lacking, "holds no OCTA"),
    Damage("B-scans, one less", _unequal, "OCTA: is 8x17x12 (depth x height x width)"),
    Damage("B-scans, gap", _gap, "6.bmp: follows 4.bmp: a B-scan is missing"),
    Damage("B-scans, twice", lambda f: beside(scans(f), "05.bmp"), "5.bmp: follows 05.bmp"),
    Damage("B-scans, a mask", lambda f: beside(scans(f), "mask.bmp"), "1.bmp: follows mask.bmp"),
    Damage("B-scans, 3.6 gigapixels", _bomb, "OpenCV cannot decode it"),
    Damage("B-scans, none", lambda f: [(f / n).mkdir() for n in NAMES] and str(f), "no B-scans"),
    Damage("TIFF, truncated", lambda f: cut(tiff(f)), "damaged TIFF"),
    Damage("TIFF, odd", lambda f: tiff(f, VOXELS[:1, :, :17]), "17 pages; a volume has"),
    Damage("TIFF, a pipe", lambda f: os.mkfifo(f / "eye.tif") or f"{f}/eye.tif", "not a regular"),
    Damage("TIFF, text", lambda f: _text(f / "eye.tif"), "damaged TIFF"),
]


def _text(path: Path) -> str:
    path.write_text("no pages here")
    return str(path)


@pytest.mark.parametrize("case", DAMAGES, ids=lambda case: case.name)
def test_damage_is_one_line(case, tmp_path, capfd):
    uri = case.make(tmp_path)
    with pytest.raises(UsageError) as raised:
        open_volume(uri, NAMES, DEPTH).band(0, HEIGHT, DEPTH)
    assert case.says in str(raised.value)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_that_shrinks_or_changes_while_it_is_read_is_one_line(order, tmp_path):
    """Mapped, it would end the process with a bus error."""
    path = Path(npy(tmp_path, np.asarray(VOXELS, order=order)))
    volume = open_volume(str(path), NAMES, DEPTH)
    assert (volume.band(0, 4, DEPTH) == VOXELS[:, :, :4]).all()
    os.truncate(path, 200)
    with pytest.raises(UsageError, match=r"eye\.npy: changed while it was read"):
        volume.band(4, 8, DEPTH)
    path.unlink()
    with pytest.raises(UsageError, match=r"eye\.npy: cannot be read: No such file"):
        volume.band(4, 8, DEPTH)


CLOSED: dict[str, Callable[[Path], str]] = {
    "npy": npy,
    "TIFF": tiff,
    "two npy": lambda f: two_npy(f / "eye"),
    "folder of B-scans": lambda f: f"{scans(f / 'eye')}/OCT,{f}/eye/OCTA",
}


@pytest.fixture
def open_folder():
    """Others may enter it, other than a folder below pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("form", CLOSED)
def test_what_may_not_be_read_is_one_line(form, open_folder):
    uri = CLOSED[form](open_folder)
    closed = Path(uri.split(",")[0])
    closed.chmod(0)
    try:
        with as_nobody(), pytest.raises(UsageError, match="Permission denied") as raised:
            open_volume(uri, NAMES, DEPTH)
    finally:
        closed.chmod(0o755)
    assert f"{closed}" in str(raised.value)
    assert "damaged" not in str(raised.value)


def test_a_folder_without_a_name_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(two_npy(tmp_path / "eye7"))
    assert open_volume(".", NAMES, DEPTH).name == "eye7"


@pytest.mark.parametrize("uri", ["a" * 5000, "a\0b.npy"])
def test_no_name_of_a_file_is_one_line(uri):
    with pytest.raises(UsageError):
        open_volume(uri, NAMES, DEPTH)


@pytest.mark.parametrize(
    "uri", ["eye.jpg", "gst:a ! b,c", "synthetic:width=64,height=64", "rtsp://x,y", "a" * 5000]
)
def test_what_is_no_volume(uri):
    assert not is_volume(uri)


def test_a_tiff_of_few_pages_is_a_photograph(tmp_path):
    assert not is_volume(tiff(tmp_path, VOXELS[:1, :, :2]))
