"""Photographs from files: what is read, and the one line for what is not."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_vessel.errors import UsageError
from edge_vessel.sources.images import ImageFiles, decode, read_image

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


def _encoded(suffix: str, image: np.ndarray, *options: int) -> bytes:
    ok, content = cv2.imencode(suffix, image, options)
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


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _huge_png() -> bytes:
    """The header of a 20,000 x 20,000 PNG and a little of its data."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(20_001) * 100)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", data)
        + _png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.png", None, "No such file"),
        ("empty.jpg", b"", "empty file"),
        ("text.png", b"I am not an image\n" * 20, "not an image"),
        ("half.jpg", _encoded(".jpg", RED)[:-200], "truncated"),
        ("half.png", _encoded(".png", RED)[:-20], "truncated"),
        ("half.tif", _encoded(".tif", RED)[:100], "damaged image"),
        ("float.tif", _encoded(".tif", RED.astype(np.float32)), "8 or 16 bits"),
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


# Smooth noise: a picture whose every byte of compressed data matters.
TEXTURE = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8), (9, 9), 0
)

PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
PNG_STORED = (cv2.IMWRITE_PNG_COMPRESSION, 0)
TIFF_LZW = (cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_LZW)
TIFF_JPEG = (
    *(cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_JPEG),
    *(cv2.IMWRITE_TIFF_ROWSPERSTRIP, 16),
)


def _overwritten(content: bytes) -> bytes:
    middle = len(content) // 2
    noise = np.random.default_rng(1).integers(0, 256, 200, np.uint8).tobytes()
    return content[:middle] + noise + content[middle + 200 :]


def _cut(content: bytes, end: bytes = b"") -> bytes:
    return content[: len(content) // 2] + end


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("overwritten.jpg", _overwritten(_encoded(".jpg", TEXTURE))),
        ("cut.jpg", _cut(_encoded(".jpg", TEXTURE), b"\xff\xd9")),
        ("progressive.jpg", _cut(_encoded(".jpg", TEXTURE, *PROGRESSIVE), b"\xff\xd9")),
        ("lzw.tif", _overwritten(_encoded(".tif", TEXTURE, *TIFF_LZW))),
        ("jpeg.tif", _overwritten(_encoded(".tif", TEXTURE, *TIFF_JPEG))),
        ("cut.tif", _cut(_encoded(".tif", TEXTURE, *TIFF_LZW))),
        ("overwritten.png", _overwritten(_encoded(".png", TEXTURE))),
        ("stored.png", _overwritten(_encoded(".png", TEXTURE, *PNG_STORED))),
        ("cut.webp", _cut(_encoded(".webp", TEXTURE))),
        ("cut.bmp", _cut(_encoded(".bmp", TEXTURE))),
        ("cut.gif", _cut(_encoded(".gif", TEXTURE))),
    ],
)
def test_a_damaged_photograph_is_refused_in_one_line(tmp_path, name, content, capfd):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"{name}: .*damaged") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def _padded(jpeg: bytes) -> bytes:
    """As cameras that fill up with zeros before the end marker write it."""
    return jpeg[:-2] + bytes(6) + jpeg[-2:]


def _with_odd_profile(png: bytes) -> bytes:
    chunk = _png_chunk(b"iCCP", b"odd\x00\x00" + zlib.compress(b"x" * 200))
    return png[:33] + chunk + png[33:]  # behind IHDR


def _with_unknown_tag(tiff: bytes) -> bytes:
    """The little-endian TIFF with a copy of its directory at the end that has one more tag."""
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    entries = tiff[start + 2 : start + 2 + 12 * count] + struct.pack("<HHII", 65000, 4, 1, 7)
    directory = struct.pack("<H", count + 1) + entries + bytes(4)
    tiff += bytes(len(tiff) % 2)
    return tiff[:4] + struct.pack("<I", len(tiff)) + tiff[8:] + directory


@pytest.mark.parametrize(
    "content",
    [
        _with_odd_profile(_encoded(".png", TEXTURE)),
        _with_unknown_tag(_encoded(".tif", TEXTURE)),
        _encoded(".tif", TEXTURE, *TIFF_LZW),
        _encoded(".webp", TEXTURE, cv2.IMWRITE_WEBP_QUALITY, 101),
        _encoded(".bmp", TEXTURE),
    ],
)
def test_odd_metadata_refuse_no_good_photograph(content, capfd):
    assert np.array_equal(decode(content, "good"), TEXTURE[..., ::-1])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("options", [(), PROGRESSIVE])
@pytest.mark.parametrize("padding", [0, 6])
def test_good_jpeg(options, padding, capfd):
    """Padded: as cameras that fill up with zeros before the end marker write it."""
    jpeg = _encoded(".jpg", TEXTURE, *options)
    image = decode(jpeg[:-2] + bytes(padding) + jpeg[-2:], "good")
    assert np.abs(image[..., ::-1] - TEXTURE.astype(int)).max() < 20
    assert capfd.readouterr().err == ""


def test_what_others_write_to_stderr_meanwhile_is_kept(monkeypatch, capfd):
    def decode_beside_a_chatterer(*arguments):
        os.write(2, b"a line of mine, ")
        image = imdecode(*arguments)
        os.write(2, b"and its rest\n")
        return image

    imdecode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", decode_beside_a_chatterer)
    with pytest.raises(UsageError, match="damaged"):
        decode(_cut(_encoded(".jpg", TEXTURE), b"\xff\xd9"), "cut")
    assert capfd.readouterr().err == "a line of mine, and its rest\n"


def test_closed_stderr_does_not_matter(tmp_path):
    (tmp_path / "good.png").write_bytes(_encoded(".png", TEXTURE))
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from edge_vessel.sources.images import read_image\n"
        "os.close(2)\n"
        "print(read_image(Path(sys.argv[1])).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "good.png"], stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == b"(200, 300, 3)\n"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((200, 20, 10), (200, 20, 10)),  # 8 bits in 16
        ((1000, 100, 0), (250, 25, 0)),
        ((4000, 400, 16), (250, 25, 1)),
        ((16000, 1600, 64), (250, 25, 1)),
        ((64000, 6400, 256), (250, 25, 1)),
    ],
)
def test_sixteen_bits_count_from_their_highest_used(suffix, value, expected):
    image = np.full((4, 5, 3), value[::-1], np.uint16)
    assert (decode(_encoded(suffix, image), "deep") == expected).all()
    with_alpha = np.dstack([image, image[..., 0] * 0 + 65535])
    assert (decode(_encoded(suffix, with_alpha), "alpha") == expected).all()
    grey = np.full((4, 5), value[0], np.uint16)
    assert (decode(_encoded(suffix, grey), "grey") == expected[0]).all()


def test_a_palette_becomes_rgb():
    content = (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 4, 8, 3, 0, 0, 0))
        + _png_chunk(b"PLTE", bytes([0, 0, 0, 200, 20, 10]))
        + _png_chunk(b"IDAT", zlib.compress((b"\0" + b"\1" * 6) * 4))
        + _png_chunk(b"IEND", b"")
    )
    assert (decode(content, "palette") == (200, 20, 10)).all()


@pytest.mark.parametrize("kind", ["/dev/zero", "/dev/random", "/dev/null", "fifo"])
def test_devices_and_pipes_are_refused_at_once(tmp_path, kind):
    if kind == "fifo":
        kind = str(tmp_path / "fifo.jpg")
        os.mkfifo(kind)
    with pytest.raises(UsageError, match="is not a regular file"):
        ImageFiles(kind)
    with pytest.raises(UsageError, match="is not a regular file"):
        read_image(Path(kind))
