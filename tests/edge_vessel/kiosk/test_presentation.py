"""Simulated eyes pass, simulated attacks are suspected: each of what it is, or of nothing."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from bench.eye_streams import ATTACKS, EYES, shots
from edge_vessel.field_of_view import FieldOfView, find_field_of_view
from edge_vessel.kiosk.presentation import NoCheck, Presentation
from edge_vessel.kiosk.pulse import pulse_share
from edge_vessel.kiosk.stream_check import StreamCheck
from edge_vessel.sources.images import read_image

NAMES = ["chase_db1_07L", "chase_db1_11R"]
SIDE_PX = 320
FOV = FieldOfView(SIDE_PX / 2, SIDE_PX / 2, 0.46 * SIDE_PX)


@pytest.fixture(scope="module")
def photographs(samples) -> list[tuple[np.ndarray, FieldOfView]]:
    images = [read_image(samples / f"{name}.jpg") for name in NAMES]
    return [(image, find_field_of_view(image)) for image in images]


def played(name, photograph, seed=0, duration_s=2.5):
    return list(shots(name, *photograph, seed, duration_s, SIDE_PX))


def judged(frames, check=None) -> Presentation:
    """By a new check, or by one that goes on."""
    check = check or StreamCheck()
    for frame in frames:
        check.add(frame.image, frame.time_s, find_field_of_view(frame.image))
    return check.verdict()


@pytest.mark.parametrize(("name", "which"), [*((name, 0) for name in EYES), ("an eye", 1)])
def test_simulated_eyes_pass(photographs, name, which):
    found = judged(played(name, photographs[which], seed=which))
    assert (found.suspicion, found.enough, found.last_followed) == (None, True, True), found
    assert found.movement > 0.001
    assert abs(found.rim or 0.0) < 0.1


SUSPECTED = {
    "a frozen frame": "frozen",
    "a frozen frame, JPEG anew": "looped",
    "a print on a stand": "motionless",
    "a loop of 1 s": "looped",
    "a loop of 2 s": "looped",
    "a print in a hand": "still_picture",
}
PASS = {
    "a loop of 2 s, JPEG anew",
    "a loop of 5 s",
    "a print in a hand, its rim hidden",
    "a still that a program moves as an eye",
    "a recording of an eye",
}


def test_every_attack_is_told_of():
    assert SUSPECTED.keys() | PASS == ATTACKS.keys()


@pytest.mark.parametrize(("name", "suspicion"), SUSPECTED.items(), ids=SUSPECTED)
def test_attacks_are_suspected(photographs, name, suspicion):
    found = judged(played(name, photographs[1], duration_s=2.8))
    assert found.suspicion == suspicion, found


@pytest.mark.parametrize("name", sorted(PASS))
def test_attacks_that_pass_as_the_documents_say(photographs, name):
    found = judged(played(name, photographs[0], duration_s=2.8))
    assert (found.suspicion, found.enough) == (None, True), found


@pytest.mark.parametrize(
    ("name", "suspicion"),
    [
        ("an eye", None),
        ("a recording of an eye", None),
        ("a print in a hand, its rim hidden", "no_pulse"),
        ("a still that a program moves as an eye", "no_pulse"),
    ],
)
def test_the_pulse_where_it_is_required(photographs, name, suspicion):
    frames = played(name, photographs[1], duration_s=4.2)
    check = StreamCheck(require_pulse=True)
    early = judged(frames[:50], check)
    assert (early.suspicion, early.enough, early.pulse) == (None, False, None)
    assert judged(frames[50:], check).suspicion == suspicion


def test_a_short_capture_is_not_enough(photographs):
    found = judged(played("an eye", photographs[0])[:20])
    assert (found.suspicion, found.enough) == (None, False)


def test_frames_without_an_eye_count_for_nothing(photographs):
    check = StreamCheck()
    assert check.verdict() == Presentation(None, False, False, 0.0, 0, 0.0, None, None, None, None)
    for number, frame in enumerate(played("an eye", photographs[0])):
        blink = number % 10 >= 8
        check.add(frame.image, frame.time_s, None if blink else FOV)
        assert check.verdict().last_followed is not blink
    assert (check.verdict().suspicion, check.verdict().enough) == (None, True)


def test_another_eye_does_not_follow_and_then_all_begins_anew(photographs):
    frames = played("an eye", photographs[0], duration_s=2.2)
    other = [replace(one, time_s=one.time_s + 2.2) for one in played("an eye", photographs[1])]
    check = StreamCheck()
    for frame in frames:
        check.add(frame.image, frame.time_s, FOV)
    assert check.verdict().enough
    for frame in other[:10]:
        check.add(frame.image, frame.time_s, FOV)
        assert not check.verdict().last_followed
    for frame in other[10:20]:
        check.add(frame.image, frame.time_s, FOV)
    found = check.verdict()
    assert (found.last_followed, found.enough, found.frames) == (True, False, 10)


def test_frames_of_another_size_do_not_follow(photographs):
    first, second, *_ = played("an eye", photographs[0])
    check = StreamCheck()
    check.add(first.image, 0.0, FOV)
    assert check.verdict().last_followed
    check.add(cv2.resize(second.image, (200, 200)), 0.1, FOV)
    assert not check.verdict().last_followed


def test_no_more_than_300_frames_are_remembered(photographs):
    """An hour before the lens costs no more memory than 10 s."""
    check = StreamCheck()
    for number, frame in enumerate(3 * played("an eye", photographs[0], duration_s=5.5)):
        check.add(frame.image, number / 20, FOV)
    found = check.verdict()
    assert (found.frames, found.suspicion) == (330, "looped")


@pytest.mark.parametrize(
    ("rate_hz", "frames_per_s", "duration_s", "beats"),
    [
        (0.8, 20, 5.0, True),
        (2.5, 20, 5.0, True),
        (5.0, 20, 5.0, False),
        (0.1, 20, 5.0, False),
        (1.0, 20, 3.5, None),
        (1.0, 6, 5.0, None),
        (0.0, 20, 5.0, False),
    ],
)
def test_the_pulse_of_a_series(rate_hz, frames_per_s, duration_s, beats):
    rng = np.random.default_rng(0)
    times_s = np.arange(0, duration_s + 1e-9, 1 / frames_per_s)
    x, y = rng.normal(0, 0.01, (2, len(times_s)))
    level = 0.01 * np.sin(2 * np.pi * rate_hz * times_s) + 0.5 * x + 20 * y * y
    found = pulse_share(
        times_s, x, y, level + (0.001 * rng.standard_normal(len(x)) if rate_hz else 0)
    )
    assert found is None if beats is None else (found > 0.4) is beats


def test_the_null_check_suspects_nothing():
    check = NoCheck()
    check.add(np.zeros((8, 8, 3), np.uint8), 0.0, None)
    found = check.verdict()
    assert (found.suspicion, found.enough, found.last_followed) == (None, True, True)
