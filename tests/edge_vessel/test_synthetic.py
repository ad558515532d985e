"""The drawn fundus."""

import time

import numpy as np
import pytest

from edge_vessel import sources
from edge_vessel.errors import UsageError
from edge_vessel.field_of_view import find_field_of_view


def test_frames_differ_and_end():
    source = sources.create("synthetic:frames=3,width=400,height=300")
    source.open()
    frames = [source.read(1.0) for _ in range(4)]
    assert frames[3] is None
    images = [frame.image for frame in frames[:3] if frame]
    assert all(image.shape == (300, 400, 3) for image in images)
    assert not np.array_equal(images[0], images[1])
    assert find_field_of_view(images[0]) is not None


def test_rate_makes_it_a_live_source():
    source = sources.create("synthetic:fps=50,frames=5,width=200,height=200")
    assert source.live
    source.open()
    started = time.monotonic()
    while source.read(1.0):
        pass
    assert time.monotonic() - started >= 4 / 50


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("synthetic:colour=red", "unknown option"),
        ("synthetic:width=12", "width=12"),
        ("synthetic:fps=fast", "fps=fast"),
        ("synthetic:fps", "NAME=VALUE"),
        ("synthetic:frames=" + "9" * 5000, r"frames=9{20}\.\.\.: a whole number"),
        ("synthetic:frames=\u0663", "a whole number"),
        ("synthetic:frames=\u00b2", "a whole number"),
        ("synthetic:seed=-1", "a whole number"),
        ("ftp://camera/stream", "unknown scheme"),
    ],
)
def test_wrong_uris(uri, says):
    with pytest.raises(UsageError, match=says):
        sources.create(uri)
