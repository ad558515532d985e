"""Bottlenecks by integers against the float64 of numpy, within the steps of eight bits."""

from dataclasses import replace

import numpy as np
import pytest
import reference
from runner import run
from test_bottleneck import NEON, OPEN, RELU6, SMALL_CACHE, TWO_THREADS, draw, finish

from compile.schedules.core import Core
from compile.schedules.integer import IntegerBottleneck, covers
from compile.schedules.maps import Image, Map
from compile.schedules.producers import Expand, Stem

CORES = {"one thread": NEON, "two threads": TWO_THREADS, "small cache": SMALL_CACHE}


@pytest.mark.parametrize("core", CORES.values(), ids=CORES)
@pytest.mark.parametrize(
    "case",
    [
        # height, width, in, hidden, out, stride, residual
        (5, 7, 8, 16, 6, 1, False),
        (1, 1, 24, 32, 19, 1, False),
        (1, 9, 16, 16, 3, 1, False),
        (9, 1, 16, 96, 16, 1, True),
        (12, 26, 24, 144, 40, 2, False),
        (7, 37, 64, 96, 64, 1, True),
        (4, 130, 96, 64, 19, 2, False),
    ],
    ids=str,
)
def test_it_computes_the_same_within_its_steps(
    core: Core, case: tuple[int, int, int, int, int, int, bool]
) -> None:
    height, width, channels, hidden, out, stride, residual = case
    source = Map(height, width, channels)
    producer = Expand(source, draw(hidden, channels) / 4, draw(hidden), RELU6)
    one = finish(producer, (height, width), out, stride, residual=source if residual else None)
    assert covers(one)
    x = draw(channels, height, width).astype(np.float64)
    inputs = [x, *([x] if residual else [])]
    expected = reference.bottleneck(one, inputs)
    found = run(IntegerBottleneck.of(one), inputs, core)
    # A step of the hidden map is 6 / 255; errors of some dozen terms add up like a random walk.
    spread = np.abs(one.project).max() * 6 / 255 * np.sqrt(hidden)
    assert np.abs(found - expected).max() < 4 * spread
    assert np.abs(found - expected).mean() < spread


def test_a_constant_zero_and_a_bright_pixel_keep_their_own_scales() -> None:
    """One scale for a row would lose the dark pixels beside a bright one."""
    source = Map(1, 4, 8)
    producer = Expand(source, draw(16, 8), np.zeros(16, np.float32), RELU6)
    one = finish(producer, (1, 4), 8)
    dark = draw(8, 1, 4).astype(np.float64) / 100
    bright = dark.copy()
    bright[:, 0, 0] *= 1e4
    dark[:, 0, 3] = 0
    found = [run(IntegerBottleneck.of(one), [x], NEON) for x in (dark, bright)]
    for x, y in zip((dark, bright), found, strict=True):
        assert np.isfinite(y).all()
        np.testing.assert_allclose(y, reference.bottleneck(one, [x]), atol=0.2)


def test_what_integers_do_not_cover() -> None:
    source = Map(4, 4, 16)
    good = finish(Expand(source, draw(16, 16), draw(16), RELU6), (4, 4), 8)
    assert covers(good)
    stem = Stem(Image(8, 8, bytes_in=True), draw(16, 3, 3, 3), draw(16), RELU6, 0.0)
    others = {
        "a stem": finish(stem, (4, 4), 8),
        "no ReLU6 between": replace(good, bounds=OPEN),
        "an open hidden map": finish(Expand(source, draw(16, 16), draw(16), OPEN), (4, 4), 8),
        "a shortcut": finish(good.producer, (4, 4), 8, residual=source, shortcut=True),
        "the probability": finish(good.producer, (4, 4), 1, final=True),
        "13 hidden channels": finish(Expand(source, draw(13, 16), draw(13), RELU6), (4, 4), 8),
    }
    assert [name for name, one in others.items() if covers(one)] == []
