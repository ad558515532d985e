"""Photographs from files: what is read, and the one line for what is not."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from edge_vessel.errors import UsageError
from edge_vessel.sources.images import ImageFiles, read_image

RED = np.full((40, 60, 3), (10, 20, 200), np.uint8)  # BGR


def _exif_turned(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF segment that gives its orientation."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00" * 4
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def _cmyk_tiff() -> bytes:
    """An uncompressed 4x4 CMYK TIFF, cyan 0, magenta and yellow full: red."""
    pixels = bytes([0, 255, 255, 0]) * 16
    tags = [
        (256, 4, 1, 4),
        (257, 4, 1, 4),
        (258, 3, 4, 8 + 64),
        (259, 3, 1, 1),
        (262, 3, 1, 5),
        (273, 4, 1, 8),
        (277, 3, 1, 4),
        (278, 4, 1, 4),
        (279, 4, 1, 64),
    ]
    head = struct.pack("<2sHI", b"II", 42, 8 + 64 + 8)
    fields = b"".join(
        struct.pack("<HHI", tag, kind, count)
        + (struct.pack("<HH", value, 0) if kind == 3 and count == 1 else struct.pack("<I", value))
        for tag, kind, count, value in tags
    )
    bits = struct.pack("<4H", 8, 8, 8, 8)
    return head + pixels + bits + struct.pack("<H", len(tags)) + fields + struct.pack("<I", 0)


def _encoded(suffix: str, image: np.ndarray) -> bytes:
    ok, content = cv2.imencode(suffix, image)
    assert ok
    return content.tobytes()


@pytest.mark.parametrize(
    ("name", "content", "shape"),
    [
        ("a.png", _encoded(".png", RED), (40, 60)),
        ("a.tif", _encoded(".tif", RED), (40, 60)),
        ("a.bmp", _encoded(".bmp", RED), (40, 60)),
        ("16.png", _encoded(".png", RED.astype(np.uint16) * 257), (40, 60)),
        ("16.tif", _encoded(".tif", RED.astype(np.uint16) * 257), (40, 60)),
        ("alpha.png", _encoded(".png", np.dstack([RED, RED[..., 0] * 0 + 9])), (40, 60)),
        ("q.jpg", _encoded(".jpg", RED), (40, 60)),
        ("turned.jpg", _exif_turned(_encoded(".jpg", RED), 6), (60, 40)),
        ("cmyk.tif", _cmyk_tiff(), (4, 4)),
    ],
)
def test_any_kind_becomes_rgb(tmp_path, name, content, shape):
    (tmp_path / name).write_bytes(content)
    image = read_image(tmp_path / name)
    assert image.shape == (*shape, 3)
    assert image.dtype == np.uint8
    red, green, blue = image.reshape(-1, 3).mean(axis=0)
    assert red > 150
    assert green < 60
    assert blue < 60


def test_grey_becomes_three_equal_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "g.png"), np.full((9, 7), 77, np.uint8))
    assert (read_image(tmp_path / "g.png") == 77).all()


def _huge_png() -> bytes:
    """The header of a 20,000 x 20,000 PNG and a little of its data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(20_001) * 100)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.png", None, "No such file"),
        ("empty.jpg", b"", "empty file"),
        ("text.png", b"I am not an image\n" * 20, "not an image"),
        ("half.jpg", _encoded(".jpg", RED)[:-200], "truncated"),
        ("half.png", _encoded(".png", RED)[:-20], "truncated"),
        ("half.tif", _encoded(".tif", RED)[:100], "not an image"),
        ("huge.png", _huge_png(), "megapixels"),
        ("header.jpg", b"\xff\xd8\xff", "truncated"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_image(path)
    assert says in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_thumbnail_in_the_header_does_not_hide_a_truncation(tmp_path):
    whole = _encoded(".jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    thumbnail = _encoded(".jpg", RED)
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    (tmp_path / "t.jpg").write_bytes((whole[:2] + segment + whole[2:])[:-300])
    with pytest.raises(UsageError, match="truncated"):
        read_image(tmp_path / "t.jpg")


def test_folder_and_glob_come_in_the_order_of_names(tmp_path):
    for name in ("c.png", "a.png", "b.JPG"):
        suffix = ".png" if name.endswith("png") else ".jpg"
        (tmp_path / name).write_bytes(_encoded(suffix, RED))
    (tmp_path / "notes.txt").write_text("not a photograph")
    assert [p.name for p in ImageFiles(str(tmp_path)).paths] == ["a.png", "b.JPG", "c.png"]
    assert [p.name for p in ImageFiles(str(tmp_path / "*.png")).paths] == ["a.png", "c.png"]


@pytest.mark.parametrize("pattern", ["nothing", "nothing/*.png", "."])
def test_a_source_without_images_is_a_usage_error(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        ImageFiles(pattern)
