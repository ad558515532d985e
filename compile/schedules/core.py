"""What a schedule knows of a core, and the block sizes that follow from it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Core:
    """`lanes` numbers in a vector register; caches in bytes; `l2_bytes` is one thread's share.

    `dtype` is of maps, weights and sums: float32, or float16 where the core computes with it.
    `neon` says that it is an ARM core, whose own instructions may be named.
    """

    lanes: int
    registers: int
    l1_bytes: int
    l2_bytes: int
    threads: int
    dtype: str = "float32"
    neon: bool = False

    @property
    def item_bytes(self) -> int:
        """Of one number of a map."""
        return np.dtype(self.dtype).itemsize

    def vectors(self, channels: int) -> int:
        """Vectors that hold `channels`; past six, a multiple that register blocks divide."""
        count = -(-channels // self.lanes)
        while count > 6 and not any(count % width == 0 for width in (3, 4, 5)):
            count += 1
        return count

    def padded(self, channels: int) -> int:
        """Channels of a map in memory."""
        return self.vectors(channels) * self.lanes

    def block(self, vectors: int) -> tuple[int, int]:
        """(pixels, vectors) of a register block of a pointwise convolution, pixels even.

        The accumulators take what the weights (one register a vector) and two broadcast pixels
        leave. Wider blocks load fewer pixels, higher ones fewer weights; the most accumulators win,
        then the fewest loads.
        """
        best = (0, 0.0, 0, 0)
        for wide in range(1, 7):
            if vectors % wide:
                continue
            high = min((self.registers - wide - 1) // wide // 2 * 2, 12)
            if high < 2:
                continue
            loads = (high + wide) / (high * wide)
            best = max(best, (min(high * wide, 24), -loads, high, wide))
        return best[2], best[3]

    def strip(self, width: int, columns_per_output: int, bytes_per_column: int) -> int:
        """Output columns of a strip whose rolling rows fill half of the second-level cache."""
        columns = self.l2_bytes // 2 // (bytes_per_column * columns_per_output)
        strips = -(-width // max(columns, 16))
        size = -(-width // strips)
        return min(size + size % 2, width)
