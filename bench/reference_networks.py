"""The networks whose times on a Cortex-A72 others have published, with random weights.

Batch norms are folded: their scale and shift stand in the convolution before them. What a network
takes does not depend on its weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

SIDE_PX = 224
_CLASSES = 1000


def _conv(inputs: int, outputs: int, side: int, stride: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups)


def _classifier(channels: int) -> list[nn.Module]:
    return [
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, _CLASSES),
        nn.Softmax(dim=1),
    ]


def mobilenet_v1() -> nn.Module:
    """Howard et al. 2017, "MobileNets", table 1."""
    # outputs and stride of each pair of a depthwise and a pointwise convolution
    pairs = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    pairs += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    layers: list[nn.Module] = [_conv(3, 32, 3, 2), nn.ReLU()]
    channels = 32
    for outputs, stride in pairs:
        layers += [_conv(channels, channels, 3, stride, channels), nn.ReLU()]
        layers += [_conv(channels, outputs, 1, 1), nn.ReLU()]
        channels = outputs
    return nn.Sequential(*layers, *_classifier(channels))


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [] if expansion == 1 else [_conv(inputs, hidden, 1, 1), nn.ReLU6()]
        depthwise = [_conv(hidden, hidden, 3, stride, hidden), nn.ReLU6()]
        self.body = nn.Sequential(*expand, *depthwise, _conv(hidden, outputs, 1, 1))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.shortcut else self.body(x)


def mobilenet_v2() -> nn.Module:
    """Sandler et al. 2018, "MobileNetV2", table 2."""
    # expansion, outputs, blocks, stride of the first
    groups = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    groups += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    layers: list[nn.Module] = [_conv(3, 32, 3, 2), nn.ReLU6()]
    channels = 32
    for expansion, outputs, blocks, first in groups:
        for stride in (first, *[1] * (blocks - 1)):
            layers.append(_Bottleneck(channels, outputs, expansion, stride))
            channels = outputs
    return nn.Sequential(*layers, _conv(channels, 1280, 1, 1), nn.ReLU6(), *_classifier(1280))


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(inputs, outputs, 3, stride), nn.ReLU(), _conv(outputs, outputs, 3, 1)
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else _conv(inputs, outputs, 1, stride)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.body(x) + self.shortcut(x))


def resnet18() -> nn.Module:
    """He et al. 2016, "Deep residual learning", table 1, with projections where shapes differ."""
    layers: list[nn.Module] = [_conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for outputs in (64, 128, 256, 512):
        stride = 1 if outputs == channels else 2
        layers += [_Residual(channels, outputs, stride), _Residual(outputs, outputs, 1)]
        channels = outputs
    return nn.Sequential(*layers, *_classifier(channels))


@dataclass(frozen=True)
class Reference:
    """A network and what is published of it.

    Attributes:
        multiply_adds, parameters: by its paper, in millions.
        published_ms: of one A72 of an RK3399, one thread.
    """

    build: Callable[[], nn.Module]
    multiply_adds: float
    parameters: float
    published_ms: float


# Times: the mean of 8 runs by ncnn's own benchncnn on a NanoPC-T4, `benchncnn 8 1 2 -1 1`: one
# thread, big cores, no GPU, cooled between networks; benchmark/README.md of
# github.com/Tencent/ncnn, "Rockchip RK3399 (Cortex-A72 1.8GHz x 2 + Cortex-A53 1.5GHz x 4)".
# Multiply-adds and parameters: MobileNets, table 8; MobileNetV2, table 4; ResNet-18's multiply-adds
# are He et al.'s, table 1, its parameters those that torchvision's documentation gives.
REFERENCES = {
    "mobilenet_v1": Reference(mobilenet_v1, 569, 4.2, 111.99),
    "mobilenet_v2": Reference(mobilenet_v2, 300, 3.4, 79.18),
    "resnet18": Reference(resnet18, 1800, 11.7, 176.85),
}


def count(network: nn.Module) -> tuple[int, int]:
    """Multiply-adds of its convolutions and linear layers at 224x224, and parameters."""
    adds = 0

    def add(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal adds
        if isinstance(layer, nn.Conv2d | nn.Linear):
            adds += output.numel() * layer.weight[0].numel()

    for layer in network.modules():
        layer.register_forward_hook(add)
    with torch.inference_mode():
        network(torch.zeros(1, 3, SIDE_PX, SIDE_PX))
    return adds, sum(one.numel() for one in network.parameters())
