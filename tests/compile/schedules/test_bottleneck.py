"""Every schedule against numpy, on shapes that no block size divides."""

import numpy as np
import pytest
import reference
from numpy.typing import NDArray
from runner import run

from compile.schedules.bottleneck import Bottleneck
from compile.schedules.core import Core
from compile.schedules.maps import Image, Map
from compile.schedules.producers import Expand, Join, Producer, Stem
from compile.schedules.vector import Clip

RELU6: Clip = (0.0, 6.0)
RELU: Clip = (0.0, None)
OPEN: Clip = (None, None)
NEON = Core(lanes=4, registers=32, l1_bytes=32 << 10, l2_bytes=1 << 20, threads=1)
AVX2 = Core(lanes=8, registers=16, l1_bytes=32 << 10, l2_bytes=1 << 20, threads=1)
AVX512 = Core(lanes=16, registers=32, l1_bytes=32 << 10, l2_bytes=1 << 20, threads=1)
TWO_THREADS = Core(lanes=4, registers=32, l1_bytes=32 << 10, l2_bytes=1 << 20, threads=2)
SMALL_CACHE = Core(lanes=4, registers=32, l1_bytes=256, l2_bytes=4 << 10, threads=3)
HALF = Core(lanes=8, registers=32, l1_bytes=64 << 10, l2_bytes=1 << 19, threads=1, dtype="float16")
CORES = {
    "neon": NEON,
    "avx2": AVX2,
    "avx512": AVX512,
    "two threads": TWO_THREADS,
    "small cache": SMALL_CACHE,
    "half precision": HALF,
}


def draw(*shape: int) -> NDArray[np.float32]:
    """Weights and maps of moderate size, the same for the same shape."""
    generator = np.random.default_rng(shape)
    return (generator.standard_normal(shape) * 0.5).astype(np.float32)


def finish(
    producer: Producer,
    size: tuple[int, int],
    out: int,
    stride: int = 1,
    bounds: Clip = RELU6,
    residual: Map | None = None,
    shortcut: bool = False,
    final: bool = False,
) -> Bottleneck:
    channels = producer.channels
    return Bottleneck(
        name="under test",
        height=size[0],
        width=size[1],
        stride=stride,
        producer=producer,
        depthwise=draw(channels, 1, 3, 3),
        depthwise_bias=draw(channels),
        bounds=bounds,
        project=draw(out, channels),
        project_bias=draw(out),
        residual=residual,
        shortcut=draw(out, residual.channels) if shortcut and residual else None,
        final=final,
    )


def check(one: Bottleneck, inputs: list[NDArray[np.float64]], core: Core) -> None:
    expected = reference.bottleneck(one, inputs)
    assert expected.size == 1 or expected.std() > 1e-3  # a map of constants would prove nothing
    # float16 has 11 bits; sums of some dozen rounded terms of this size lose the last five.
    close = 1e-5 if core.dtype == "float32" else 3e-2
    np.testing.assert_allclose(run(one, inputs, core), expected, atol=close, rtol=close)


@pytest.mark.parametrize("core", CORES.values(), ids=CORES)
@pytest.mark.parametrize(
    "case",
    [
        # height, width, in, hidden, out, stride, residual, shortcut, activation
        (5, 7, 3, 10, 6, 1, False, False, RELU6),
        (1, 1, 1, 1, 1, 1, False, False, RELU),
        (1, 9, 2, 5, 3, 1, False, False, OPEN),
        (9, 1, 4, 24, 4, 1, True, False, RELU6),
        (12, 26, 16, 96, 24, 2, False, False, RELU6),
        (11, 37, 24, 31, 24, 1, True, False, RELU6),
        (6, 34, 7, 44, 19, 1, True, True, RELU),
        (4, 130, 13, 29, 17, 2, False, False, OPEN),
    ],
    ids=str,
)
def test_expand(core: Core, case: tuple[int, int, int, int, int, int, bool, bool, Clip]) -> None:
    height, width, channels, hidden, out, stride, residual, shortcut, bounds = case
    source = Map(height, width, channels)
    producer = Expand(source, draw(hidden, channels), draw(hidden), bounds)
    one = finish(
        producer,
        (height, width),
        out,
        stride,
        bounds,
        residual=source if residual else None,
        shortcut=shortcut,
    )
    x = draw(channels, height, width).astype(np.float64)
    check(one, [x, *([x] if residual else [])], core)


@pytest.mark.parametrize("core", CORES.values(), ids=CORES)
@pytest.mark.parametrize("bytes_in", [True, False], ids=["bytes", "floats"])
@pytest.mark.parametrize("size", [(2, 2), (6, 10), (10, 62)], ids=str)
def test_stem(core: Core, bytes_in: bool, size: tuple[int, int]) -> None:
    image = Image(*size, bytes_in)
    scale, pad = (1 / 128, 127.5) if bytes_in else (1.0, 0.0)
    producer = Stem(image, draw(13, 3, 3, 3) * np.float32(scale), draw(13), RELU6, pad)
    one = finish(producer, (size[0] // 2, size[1] // 2), out=5)
    check(one, [photograph(size, bytes_in)], core)


@pytest.mark.parametrize("core", CORES.values(), ids=CORES)
@pytest.mark.parametrize("skip", ["map", "bytes", "floats"])
@pytest.mark.parametrize("final", [False, True], ids=["map out", "probability out"])
@pytest.mark.parametrize("size", [(2, 2), (6, 10), (4, 62)], ids=str)
def test_join(core: Core, skip: str, final: bool, size: tuple[int, int]) -> None:
    height, width = size
    low = Map(height // 2, width // 2, 5)
    bytes_in = skip == "bytes"
    source = Map(height, width, 7) if skip == "map" else Image(height, width, bytes_in)
    scale = np.float32(1 / 128 if bytes_in else 1)
    producer = Join(low, source, draw(5, source.channels) * scale, draw(5), RELU6)
    one = finish(producer, size, out=1 if final else 9, final=final)
    second = (
        draw(7, height, width).astype(np.float64) if skip == "map" else photograph(size, bytes_in)
    )
    check(one, [draw(5, height // 2, width // 2).astype(np.float64), second], core)


def photograph(size: tuple[int, int], bytes_in: bool) -> NDArray[np.float64]:
    if bytes_in:
        return np.random.default_rng(1).integers(0, 256, (3, *size)).astype(np.float64)
    return draw(3, *size).astype(np.float64)


def test_an_odd_side_and_stride_two_is_refused() -> None:
    one = finish(Expand(Map(5, 6, 2), draw(3, 2), draw(3), RELU), (5, 6), out=2, stride=2)
    with pytest.raises(ValueError, match="6x5 and stride 2"):
        one.function(NEON, "bottleneck")
