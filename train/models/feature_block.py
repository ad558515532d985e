"""The block that every image projection network is built of: a convolution, ordinary or depthwise
separable, batch norm, ReLU, and CBAM where it is asked for.

Batch norms are ours: the papers name none, and without them short trainings of thin separable
layers do not begin.
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from train.models.cbam import CBAM

Block = Callable[[int, int], nn.Module]  # from channels in and out

_CONVOLUTION: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM: dict[int, Callable[[int], nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class FeatureBlock(nn.Sequential):
    """(N, channels_in, ...) to (N, channels_out, ...), the same size where `stride` is 1.

    Args:
        kernel: one odd side for each dimension: two of a plane, three of a volume.
        separable: depthwise, then pointwise (Chollet 2017), in place of one convolution.
        attention: CBAM behind it.
        stride: of each dimension; a kernel as wide as its stride has no margin there.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: tuple[int, ...],
        separable: bool = False,
        attention: bool = False,
        stride: tuple[int, ...] | None = None,
    ) -> None:
        dimensions = len(kernel)
        steps = stride or (1,) * dimensions
        margin = tuple(
            0 if step > 1 else side // 2 for side, step in zip(kernel, steps, strict=True)
        )
        convolution = partial(
            _CONVOLUTION[dimensions],
            kernel_size=kernel,
            stride=steps,
            padding=margin,
            bias=False,
        )
        layers = [convolution(channels_in, channels_out)]
        if separable:
            pointwise = _CONVOLUTION[dimensions](channels_in, channels_out, 1, bias=False)
            layers = [convolution(channels_in, channels_in, groups=channels_in), pointwise]
        layers += [_NORM[dimensions](channels_out), nn.ReLU(inplace=True)]
        if attention:
            layers.append(CBAM(channels_out, dimensions))
        super().__init__(*layers)


class TwoBlocks(nn.Sequential):
    """Twice a block, the second as wide as the first."""

    def __init__(self, channels_in: int, channels_out: int, *, block: Block) -> None:
        super().__init__(block(channels_in, channels_out), block(channels_out, channels_out))
