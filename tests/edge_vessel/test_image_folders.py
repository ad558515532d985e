"""Which photographs a folder or a glob gives, in which order, and what is said of none."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_vessel.errors import UsageError
from edge_vessel.sources.images import ImageFiles


def _folder(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_folder_and_glob_come_in_the_order_of_names(tmp_path):
    for name in ("c.png", "a.png", "b.JPG"):
        cv2.imwrite(str(tmp_path / name), np.zeros((40, 60, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("not a photograph")
    assert [p.name for p in ImageFiles(str(tmp_path)).paths] == ["a.png", "b.JPG", "c.png"]
    assert [p.name for p in ImageFiles(str(tmp_path / "*.png")).paths] == ["a.png", "c.png"]


@pytest.mark.parametrize("pattern", ["nothing", "nothing/*.png", "."])
def test_a_source_without_images_is_a_usage_error(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        ImageFiles(pattern)


@pytest.mark.parametrize(
    ("pattern", "names", "found"),
    [
        ("*", ["a.jpg", "results.jsonl", "b.PNG"], ["a.jpg", "b.PNG"]),
        (".", ["a.jpg", "a_mask.png", "a_overlay.png", "a_probability.png"], ["a.jpg"]),
        ("*", ["a.jpg", "a_mask.png", "b_mask.png"], ["a.jpg", "b_mask.png"]),
        ("*_mask.png", ["a.jpg", "a_mask.png"], ["a_mask.png"]),
        ("**/*.jpg", ["a.jpg", "deep/b.jpg"], ["a.jpg", "b.jpg"]),
    ],
)
def test_what_a_folder_or_a_glob_takes(tmp_path, pattern, names, found):
    _folder(tmp_path, *names)
    assert [p.name for p in ImageFiles(str(tmp_path / pattern)).paths] == found


def test_results_that_are_left_out_are_named(tmp_path):
    _folder(tmp_path, "a.jpg", "a_mask.png", "b_mask.png")
    source = ImageFiles(str(tmp_path))
    assert source.left_out == [tmp_path / "a_mask.png"]
    assert ImageFiles(str(tmp_path / "a_mask.png")).left_out == []


def test_a_link_that_leads_back_gives_each_photograph_once(tmp_path):
    _folder(tmp_path, "deep/a.jpg")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    assert ImageFiles(str(tmp_path / "**" / "*.jpg")).paths == [tmp_path / "deep" / "a.jpg"]


@pytest.mark.parametrize(
    ("pattern", "names", "says"),
    [
        (".", ["a.mp4", "b.avi"], "only videos here; name one of them"),
        ("*", ["a.mp4", "b.txt"], "only videos here; name one of them"),
        ("*.jsonl", ["a.jsonl"], "no images among these files"),
    ],
)
def test_no_photographs_there(tmp_path, pattern, names, says):
    _folder(tmp_path, *names)
    with pytest.raises(UsageError, match=says):
        ImageFiles(str(tmp_path / pattern))
