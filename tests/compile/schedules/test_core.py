"""Block sizes follow from the core."""

import pytest

from compile.schedules.core import Core

NEON = Core(lanes=4, registers=32, l1_bytes=32 << 10, l2_bytes=1 << 20, threads=1)
AVX2 = Core(lanes=8, registers=16, l1_bytes=32 << 10, l2_bytes=1 << 20, threads=1)


@pytest.mark.parametrize("core", [NEON, AVX2], ids=["neon", "avx2"])
@pytest.mark.parametrize("channels", range(1, 400, 7))
def test_blocks_fit_the_registers_and_cover_the_channels(core: Core, channels: int) -> None:
    vectors = core.vectors(channels)
    high, wide = core.block(vectors)
    assert vectors * core.lanes >= channels
    assert vectors % wide == 0
    assert high % 2 == 0
    assert high * wide + wide + 1 <= core.registers


@pytest.mark.parametrize(
    ("channels", "padded"), [(1, 4), (24, 24), (30, 32), (44, 48), (96, 96), (576, 576)]
)
def test_padding(channels: int, padded: int) -> None:
    assert NEON.padded(channels) == padded


def test_strips_are_as_few_as_the_cache_allows() -> None:
    row = 3 * 96 * 4  # bytes of a column in the ring of M2U-Net's widest block
    assert NEON.strip(272, 1, row) == 272
    assert NEON.strip(40, 1, row) == 40
    assert NEON.strip(1752, 1, row) * row <= NEON.l2_bytes // 2
