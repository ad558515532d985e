import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from needs import unavailable
from results import FOV, HEIGHT, WIDTH, make_result

from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError
from edge_vessel.sinks.base import CameraEvent, Unreadable
from edge_vessel.sinks.files import KINDS, FileSink, _png, file_name
from edge_vessel.vessels import Field, analyse


def read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None, path
    return picture


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("only root may mount the small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_each_kind_holds_what_it_says(tmp_path: Path) -> None:
    result = make_result()
    sink = FileSink(tmp_path / "out" / "deep", KINDS)
    sink.write(result)
    sink.close()
    folder = tmp_path / "out" / "deep"
    assert sorted(path.name for path in folder.iterdir()) == [
        "eye_landmarks.png",
        "eye_mask.png",
        "eye_overlay.png",
        "eye_probability.png",
    ]
    found = result.segmentation
    assert found is not None
    mask = read(folder / "eye_mask.png")
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, np.where(found.mask, 255, 0))
    probability = read(folder / "eye_probability.png")
    assert probability.dtype == np.uint16
    assert np.array_equal(probability, np.rint(found.probability * 65535.0))
    overlay = read(folder / "eye_overlay.png")
    assert overlay.shape == (HEIGHT, WIDTH, 3)
    assert overlay[0, 0].tolist() == [20, 60, 160], "RGB and BGR are not swapped"
    landmarks = read(folder / "eye_landmarks.png")
    bare = result.frame.image[..., ::-1]
    assert np.array_equal(landmarks, bare), "nobody asked for the analysis"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o640 for path in folder.iterdir())


@pytest.mark.parametrize("status", ["ok", "no_fundus"])
def test_what_a_status_leaves(tmp_path: Path, status: str) -> None:
    sink = FileSink(tmp_path, frozenset({"mask"}))
    sink.write(make_result(status=status))
    sink.unreadable(Unreadable(1, "eye.jpg: truncated"))
    sink.event(CameraEvent("lost", "unplugged", 0.0))
    sink.close()
    (mask,) = tmp_path.iterdir()
    assert read(mask).any() == (status == "ok")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/eye.jpg", "b/eye.png"], ["eye", "eye_2"]),
        (["eye.jpg", "EYE.JPG"], ["eye", "EYE_2"]),
        (["eye.jpg", "eye_2.jpg", "eye.png"], ["eye", "eye_2", "eye_3"]),
        (["eye.jpg", "eye.png", "eye_2.jpg"], ["eye", "eye_2", "eye_2_2"]),
        (["x.jpg"] * 4, ["x", "x_2", "x_3", "x_4"]),
    ],
)
def test_no_input_overwrites_another(tmp_path: Path, names: list[str], expected: list[str]) -> None:
    sink = FileSink(tmp_path, frozenset({"mask"}))
    for index, name in enumerate(names):
        sink.write(make_result(index, name))
    assert {p.name for p in tmp_path.iterdir()} == {f"{n}_mask.png" for n in expected}


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    for status in ("ok", "no_fundus"):
        FileSink(tmp_path, frozenset({"mask"})).write(make_result(status=status))
    (only,) = tmp_path.iterdir()
    assert not read(only).any()


@pytest.mark.parametrize(
    ("source_name", "expected"),
    [
        ("Image_01L.jpg", "Image_01L"),
        ("../../etc/passwd", "passwd"),
        ("/abs/olute/eye.TIFF", "eye"),
        ("camera 0: HD <UVC>\n\x1b[31m", "camera_0_HD_UVC_31m"),
        ("frame.000012", "frame.000012"),
        (".hidden.png", "hidden"),
        ("-rf", "rf"),
        ("..", "frame"),
        ("", "frame"),
        ("???", "frame"),
        ("œil_été.png", "œil_été"),
        ("bad\udcffname.png", "bad_name"),
        ("é" * 300, "é" * 100),
    ],
)
def test_names_are_safe(source_name: str, expected: str) -> None:
    assert file_name(source_name) == expected


def test_landmarks_are_drawn_on_the_photograph(tmp_path: Path) -> None:
    plain = make_result()
    field = Field.of(plain.frame.image, FOV)
    result = replace(plain, vessels=analyse(plain.segmentation.mask, field))
    FileSink(tmp_path, frozenset({"landmarks"})).write(result)
    picture = read(tmp_path / "eye_landmarks.png")
    drawn = (picture != plain.frame.image[..., ::-1]).any(axis=2)
    assert drawn[HEIGHT // 2, WIDTH // 2 - 20 : WIDTH // 2 + 20].all()
    assert not drawn[:10].any()


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, KINDS)
    for _ in range(12):
        sink.write(make_result(name="é" * 300))
    assert len(list(tmp_path.iterdir())) == 48


@pytest.mark.parametrize("save", [[], ["mask", "skeleton"]], ids=str)
def test_unknown_kinds_are_named(tmp_path: Path, save: list[str]) -> None:
    with pytest.raises(UsageError, match="choose from landmarks, mask, overlay, probability"):
        FileSink(tmp_path, frozenset(save))


def test_a_file_in_the_way_is_a_usage_error(tmp_path: Path) -> None:
    blocker = tmp_path / "results"
    blocker.write_text("mine")
    for folder in (blocker, blocker / "deeper"):
        with pytest.raises(UsageError, match="results") as caught:
            FileSink(folder, KINDS)
        assert "\n" not in str(caught.value)
    assert blocker.read_text() == "mine"


def test_a_forbidden_folder_is_a_usage_error(tmp_path: Path) -> None:
    folder = Path("/proc/edge-vessel") if os.geteuid() == 0 else tmp_path / "locked" / "x"
    if os.geteuid() != 0:
        folder.parent.mkdir(mode=0o500)
    with pytest.raises(EdgeVesselError, match="cannot be written here") as caught:
        FileSink(folder, KINDS)
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_nothing_half_written(tiny_disk: Path) -> None:
    sink = FileSink(tiny_disk, frozenset({"mask", "probability"}))
    sink.write(make_result(name="first"))
    (tiny_disk / "filler").write_bytes(bytes(100 * 1024))
    noise = make_result(name="second", height=300, width=300)
    assert noise.segmentation is not None
    noise.segmentation.probability[:] = np.random.default_rng(0).random((300, 300))
    with pytest.raises(DeviceError, match=r"No space left on device"):
        sink.write(noise)
    names = sorted(path.name for path in tiny_disk.iterdir())
    assert "second_probability.png" not in names
    assert not [name for name in names if name.startswith(".")]
    for name in names:
        assert name == "filler" or read(tiny_disk / name) is not None


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    stale = [".eye_overlay.png.isnrw4jc", ".eye_mask.png.0123abcd", ".edge-vessel.abcdefgh"]
    others = [".eye.png.isnrw4jc", "eye_mask.png", ".eye_mask.png.mine", ".eye_mask.png.bak.tar.gz"]
    for name in (*stale, *others):
        (tmp_path / name).write_bytes(b"old")
        os.utime(tmp_path / name, (0, 0))
    young = tmp_path / ".eye_mask.png.aaaaaaaa"
    young.write_bytes(b"somebody writes it now")
    FileSink(tmp_path, frozenset({"mask"}))
    assert {path.name for path in tmp_path.iterdir()} == {*others, young.name}


@pytest.mark.parametrize(("height", "width"), [(0, 0), (1, 1_000_001)])
def test_what_opencv_cannot_compress_is_a_device_error(
    tmp_path: Path, height: int, width: int
) -> None:
    picture = np.zeros((height, width), np.uint8)
    with pytest.raises(DeviceError, match=r"eye_mask\.png: OpenCV made no PNG") as caught:
        _png(tmp_path / "eye_mask.png", picture)
    assert "\n" not in str(caught.value)


def test_a_disk_full_from_the_start_is_told_at_once(tiny_disk: Path) -> None:
    (tiny_disk / "filler").write_bytes(bytes(128 * 1024))
    with pytest.raises(DeviceError, match="No space left on device"):
        FileSink(tiny_disk, KINDS)
    assert [path.name for path in tiny_disk.iterdir()] == ["filler"]
