"""The hints: real photographs pass, and degraded in known ways they say what is wrong."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from edge_vessel import models
from edge_vessel.artifact import open_artifact
from edge_vessel.biometrics.quality import HINTS, assess
from edge_vessel.field_of_view import FieldOfView
from edge_vessel.segmenter import Segmenter
from edge_vessel.sources.images import read_image

Picture = np.ndarray
NAMES = ["chase_db1_07L", "chase_db1_11R"]


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(open_artifact(models.resolve(None), ()))


@pytest.fixture(scope="module")
def photographs(samples, segmenter) -> dict[str, tuple[Picture, FieldOfView]]:
    images = {name: read_image(samples / f"{name}.jpg") for name in NAMES}
    return {name: (image, segmenter.segment(image).fov) for name, image in images.items()}


def blurred(share: float) -> Callable[[Picture, FieldOfView], Picture]:
    return lambda image, fov: cv2.GaussianBlur(image, (0, 0), share * 2 * fov.radius)


def lit(times: float) -> Callable[[Picture, FieldOfView], Picture]:
    return lambda image, _: np.clip(image * times, 0, 255).astype(np.uint8)


def shifted(image: Picture, fov: FieldOfView) -> Picture:
    move = np.array([[1, 0, 0.95 * fov.radius], [0, 1, 0]], np.float32)
    return cv2.warpAffine(image, move, image.shape[1::-1])


def far_away(image: Picture, fov: FieldOfView) -> Picture:
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    frame = np.zeros_like(image)
    frame[200 : 200 + small.shape[0], 200 : 200 + small.shape[1]] = small
    return frame


def with_reflex(image: Picture, fov: FieldOfView) -> Picture:
    light = np.zeros(image.shape[:2], np.float32)
    at = round(fov.centre_x - 0.4 * fov.radius), round(fov.centre_y + 0.3 * fov.radius)
    cv2.circle(light, at, round(0.2 * fov.radius), 255.0, cv2.FILLED)
    light = cv2.GaussianBlur(light, (0, 0), 0.04 * fov.radius)
    return np.clip(image + light[..., None], 0, 255).astype(np.uint8)


def hazy(image: Picture, fov: FieldOfView) -> Picture:
    inside = fov.mask(*image.shape[:2])[..., None]
    return np.where(inside, image * 0.2 + np.array([110, 60, 30]), image).astype(np.uint8)


DEGRADED = {
    "as it is": (lambda image, _: image, None),
    "slightly dim": (lit(0.6), None),
    "slightly blurred": (blurred(0.0007), None),
    "blurred": (blurred(0.004), "out_of_focus"),
    "badly blurred": (blurred(0.01), "out_of_focus"),
    "dim": (lit(0.25), "too_dark"),
    "dark": (lit(0.1), "too_dark"),
    "overexposed": (lit(3.5), "too_bright"),
    "a reflex": (with_reflex, "glare"),
    "to the side": (shifted, "off_centre"),
    "from afar": (far_away, "too_far"),
    "through haze": (hazy, "retry"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("degrade", "hint"), DEGRADED.values(), ids=DEGRADED)
def test_hints_of_degraded_photographs(segmenter, photographs, name, degrade, hint):
    image, fov = photographs[name]
    picture = degrade(image, fov)
    found = assess(picture, segmenter.segment(picture))
    assert found.hint == hint, found


@pytest.mark.parametrize(
    ("picture", "hint"),
    [
        (np.zeros((480, 640, 3), np.uint8), "too_dark"),
        (np.full((480, 640, 3), 255, np.uint8), "too_bright"),
        (np.full((480, 640, 3), 120, np.uint8), "no_eye"),
        (np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8), "no_eye"),
    ],
    ids=["black", "white", "a wall", "noise"],
)
def test_frames_without_an_eye(segmenter, picture, hint):
    found = assess(picture, segmenter.segment(picture))
    assert found.hint == hint
    assert found.focus is None


@pytest.mark.parametrize(
    ("shift", "hint"), [(0.0, None), (0.004, None), (0.02, "moving"), (0.1, "moving")]
)
def test_an_eye_that_moves_behind_a_rim_that_stays(segmenter, photographs, shift, hint):
    image, fov = photographs[NAMES[0]]
    inside = fov.mask(*image.shape[:2])[..., None]
    pixels = shift * 2 * fov.radius / np.sqrt(2)
    moved = cv2.warpAffine(
        image, np.array([[1, 0, pixels], [0, 1, pixels]]), image.shape[1::-1],
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    found = assess(image, segmenter.segment(image), np.where(inside, moved, image))
    assert found.hint == hint
    if shift < 0.1:
        assert found.motion == pytest.approx(shift, abs=0.001)


def test_a_frame_before_that_shows_something_else(segmenter, photographs):
    image, _ = photographs[NAMES[0]]
    other, _ = photographs[NAMES[1]]
    found = assess(image, segmenter.segment(image), other)
    assert (found.motion, found.hint) == (np.inf, "moving")


@pytest.mark.data
@pytest.mark.parametrize("person", range(1, 11))
def test_captures_of_ridb_pass(segmenter, data, person):
    capture = sorted((data / "RIDB" / f"P{person}").iterdir())[person % 5]
    image = read_image(capture)
    assert assess(image, segmenter.segment(image)).hint is None


def test_every_hint_can_be_given():
    given = {hint for _, hint in DEGRADED.values()} | {"no_eye", "moving", None}
    assert given == {*HINTS, None}
