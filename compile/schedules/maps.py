"""Where the pixels of a map or of the camera's image lie, and rows of the image as floats."""

from dataclasses import dataclass

from tvm.tirx.script import builder as T

from compile.schedules.core import Core
from compile.schedules.vector import Expr, fill


@dataclass(frozen=True)
class Map:
    """A map between two schedules: flat, one pixel of slack before and after.

    The slack lets a block read the column left of the first pixel and right of the last; what is
    computed from it is overwritten by the padding.
    """

    height: int
    width: int
    channels: int

    def shape(self, core: Core) -> tuple[int]:
        """Of the buffer."""
        return ((self.height * self.width + 2) * core.padded(self.channels),)

    def at(self, core: Core, row: Expr, column: Expr) -> Expr:
        """Index of the first channel of a pixel; the column may be -1 or the width."""
        return (row * self.width + column + 1) * core.padded(self.channels)


@dataclass(frozen=True)
class Image:
    """The network's input: uint8 (1, H, W, 3) as a camera gives it, or float32 (1, 3, H, W)."""

    height: int
    width: int
    bytes_in: bool
    channels: int = 3

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the buffer."""
        if self.bytes_in:
            return (1, self.height, self.width, self.channels)
        return (1, self.channels, self.height, self.width)

    @property
    def dtype(self) -> str:
        """Of the buffer."""
        return "uint8" if self.bytes_in else "float32"

    @property
    def item_bytes(self) -> int:
        """Of one element."""
        return 1 if self.bytes_in else 4

    def read_row(
        self, image: Expr, row: Expr, column: Expr, columns: int, target: Expr, at: int, pad: float
    ) -> None:
        """Emits target[at:] = the row from `column` on, (columns, 3), `pad` outside."""
        low = T.Bind(T.max(column, 0))
        high = T.Bind(T.min(column + columns, self.width))
        channels = self.channels
        with T.If(T.And(row >= 0, row < self.height)):
            with T.Then():
                fill(target, at, (low - column) * channels, pad)
                if self.bytes_in:
                    with T.serial(0, (high - low) * channels) as i:
                        column_of = low + T.floordiv(i, channels)
                        value = image[0, row, column_of, T.floormod(i, channels)]
                        T.buffer_store(
                            target,
                            T.Cast(target.dtype, value),
                            [at + (low - column) * channels + i],
                        )
                else:
                    for channel in range(channels):
                        with T.serial(0, high - low) as i:
                            T.buffer_store(
                                target,
                                T.Cast(target.dtype, image[0, channel, row, low + i]),
                                [at + (low - column + i) * channels + channel],
                            )
                end = at + (high - column) * channels
                fill(target, end, (column + columns - high) * channels, pad)
            with T.Else():
                fill(target, at, columns * channels, pad)
