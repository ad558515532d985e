"""A network that is no M2U-Net, from PyTorch to an artifact that the runtime runs."""

import json
import re
from pathlib import Path

import pytest
import torch
from artifact_folders import python
from native_artifacts import GOLDEN
from torch import Tensor, nn

from compile.export import to_onnx
from compile.size import square

pytestmark = pytest.mark.slow

SIZE = 96
SELFTEST = """
import json, sys
from pathlib import Path
from edge_vessel.artifact import open_artifact
from edge_vessel.selftest import run_selftest
artifact = open_artifact(Path(sys.argv[1]), (), allow_unsigned=True)
found = run_selftest(artifact, threads=2)
print(json.dumps({"difference": found.max_abs_difference, "tvm": "tvm" in sys.modules}))
"""


def _twice(into: int, out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (into, out):
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Ronneberger et al. 2015, narrow and with padding, and one norm after a concatenation."""

    multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([_twice(3, 8), _twice(8, 16), _twice(16, 32)])
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 3, 2, 1, 1)]
        )
        self.norm = nn.ModuleList([nn.BatchNorm2d(32), nn.BatchNorm2d(16)])
        self.joined = nn.ModuleList([_twice(32, 16), _twice(16, 8)])
        self.last = nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down[0](image)
        second = self.down[1](nn.functional.max_pool2d(first, 2))
        values = self.down[2](nn.functional.max_pool2d(second, 2))
        for up, norm, joined, skip in zip(
            self.up, self.norm, self.joined, (second, first), strict=True
        ):
            values = joined(norm(torch.cat([up(values), skip], 1)))
        found: Tensor = self.last(values)
        return found


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    unet = UNet()
    unet(torch.randn(4, 3, SIZE, SIZE))  # norms that are not the identity
    path = tmp_path_factory.mktemp("unet") / "unet.onnx"
    path.write_bytes(to_onnx(unet.eval(), square(SIZE)))
    return path


def _compile(network: Path, target: str, folder: Path, *more: str) -> tuple[str, str]:
    done = python(
        "-W", "ignore", "-m", "compile", network, "--target", target, "--size", str(SIZE),
        "--threshold", "0.5", "--golden", GOLDEN, "-o", folder, *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_compiles_says_what_it_costs_and_passes_its_selftest(network: Path, tmp_path: Path) -> None:
    printed, said = _compile(network, "x86_64", tmp_path / "a", "--explain")
    assert "no hand-written schedule covers this network (Conv" in said
    assert re.search(r"measured here, threads 2: [\d.]+ ms, ONNX Runtime [\d.]+ ms", said)
    assert re.search(r"^convolution +[\d.]+ ms  fused_conv2d", printed, re.MULTILINE)
    done = python("-c", SELFTEST, tmp_path / "a")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["difference"] < 1e-3  # golden.npz is rounded to float16
    assert facts["tvm"] is False


def test_for_another_machine_the_speed_is_not_guessed(network: Path, tmp_path: Path) -> None:
    """Where there is no estimate of the core either, a dash stands for it."""
    printed, said = _compile(network, "generic-aarch64", tmp_path / "a", "--explain")
    assert "its speed is not measured: this machine cannot run it" in said
    assert "no times: generic-aarch64: no estimate" in said
    assert re.search(r"^convolution +-  fused_conv2d", printed, re.MULTILINE)
