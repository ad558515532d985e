"""MobileNetV2's convolution blocks and the encoder cut after its fourteenth layer.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018,
section 3.3 and table 2. Module names follow torchvision, so that its published weights load.
"""

from dataclasses import dataclass

from torch import Tensor, nn


class ConvBnRelu6(nn.Sequential):
    """Convolution without bias, batch norm, ReLU6; "same" padding for odd kernels."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(
                channels_in,
                channels_out,
                kernel,
                stride,
                padding=(kernel - 1) // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(channels_out),
            nn.ReLU6(inplace=True),
        )


class Bottleneck(nn.Module):
    """Pointwise to `hidden`, depthwise 3x3, linear pointwise to `channels_out`.

    With hidden > channels_in it is MobileNetV2's inverted bottleneck; with hidden < channels_in
    the contracting one of M2U-Net's decoder. The input is added to the output when `residual`
    is set, the stride is 1 and both have the same number of channels.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        hidden: int,
        stride: int = 1,
        residual: bool = True,
        expand: bool = True,
    ) -> None:
        super().__init__()
        self.residual = residual and stride == 1 and channels_in == channels_out
        layers: list[nn.Module] = [ConvBnRelu6(channels_in, hidden, kernel=1)] if expand else []
        layers += [
            ConvBnRelu6(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


@dataclass(frozen=True)
class Stage:
    """One row of MobileNetV2's table 2."""

    expansion: int
    channels: int
    repeats: int
    stride: int


STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
)


class MobileNetV2Encoder(nn.Module):
    """The first fourteen layers of MobileNetV2 1.0.

    Input (N, 3, H, W); output one map per resolution: 16 channels at 1/2, 24 at 1/4, 32 at 1/8
    and 96 at 1/16 of H and W.
    """

    channels = (16, 24, 32, 96)
    _taps = (1, 3, 6, 13)  # the last layer at each resolution

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvBnRelu6(3, 32, stride=2)]
        width = 32
        for stage in STAGES:
            for index in range(stage.repeats):
                layers.append(
                    Bottleneck(
                        width,
                        stage.channels,
                        hidden=width * stage.expansion,
                        stride=stage.stride if index == 0 else 1,
                        expand=stage.expansion != 1,
                    )
                )
                width = stage.channels
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._taps:
                maps.append(x)
        return maps

    def load_imagenet(self, weights: dict[str, Tensor]) -> None:
        """Takes torchvision's MobileNetV2 weights; layers past the fourteenth are left out.

        Raises:
            RuntimeError: a tensor of the encoder is missing or has another shape.
        """
        own = self.state_dict()
        self.load_state_dict({name: weights[name] for name in own if name in weights}, strict=True)
