"""The base tester of every network: a subclass names it and its published facts."""

from typing import Any, ClassVar

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from compile.export import to_onnx
from compile.size import square
from train.losses import bce_jaccard
from train.models import create
from train.models.checkpoint import Checkpoint, load_checkpoint, save_slim
from train.models.cost import multiply_adds, parameters


def training_loss(network: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    """The sum over all the maps that the network learns from."""
    stages = getattr(network, "training_logits", lambda x: (network(x),))(image)
    return torch.stack([bce_jaccard(logits, label) for logits in stages]).sum()


@pytest.mark.usefixtures("one_thread")
class NetworkTester:
    """Forward, backward, any size, save and load, export with equality.

    `options` make a network that is quick to test, where the published one is not, and `leading`
    are its images' dimensions before height and width; `parameters` and `multiply_adds_544` are the
    published one's, which is made with `variant`.
    """

    name: str
    parameters: int
    multiply_adds_544: int
    multiple: int
    options: ClassVar[dict[str, Any]] = {}
    variant: ClassVar[dict[str, Any]] = {}
    steps: ClassVar[int] = 12  # that lower the loss by a tenth
    leading: ClassVar[tuple[int, ...]] = (3,)
    sizes = ((64, 64), (48, 96), (96, 32))

    def image(self, batch: int, height: int, width: int) -> Tensor:
        return torch.rand(batch, *self.leading, height, width)

    def target(self, image: Tensor) -> Tensor:
        """What a few steps can learn of an image: (N, 1, H, W) of 0 and 1."""
        return (image.mean(dim=1, keepdim=True) > 0.55).float()

    @pytest.fixture()
    def network(self) -> nn.Module:
        torch.manual_seed(0)
        network = create(self.name, **self.options)
        with torch.no_grad():
            network(self.image(2, 64, 64))  # gives the batch norms statistics of their own
        return network.eval()

    def test_cost_is_the_published_one(self):
        with torch.device("meta"):
            network = create(self.name, **self.variant)
        assert parameters(network) == self.parameters
        assert multiply_adds(network, 544, 544) == self.multiply_adds_544
        assert network.multiple == self.multiple

    def test_forward_keeps_any_size(self, network):
        smallest = (self.multiple, 3 * self.multiple)
        for height, width in (*self.sizes, smallest):
            with torch.inference_mode():
                logits = network(self.image(1, height, width))
            assert logits.shape == (1, 1, height, width)
            assert torch.isfinite(logits).all()

    def test_same_seed_same_weights_and_logits(self):
        image = self.image(1, 64, 64)
        found = []
        for _ in range(2):
            torch.manual_seed(3)
            network = create(self.name, **self.options).eval()
            with torch.inference_mode():
                found.append((network.state_dict(), network(image)))
        (weights, logits), (again, logits_again) = found
        assert all(torch.equal(weights[key], again[key]) for key in weights)
        assert torch.equal(logits, logits_again)

    @pytest.mark.parametrize("batch", [1, 2])
    def test_backward_reaches_every_parameter(self, network, batch):
        network.train()
        label = (torch.rand(batch, 1, 32, 32) > 0.9).float()
        training_loss(network, self.image(batch, 32, 32), label).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name

    def test_a_few_steps_lower_the_loss(self, network):
        image = self.image(2, 32, 32)
        label = self.target(image)
        network.train()
        optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
        losses = []
        for _ in range(self.steps):
            loss = training_loss(network, image, label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[-1] < 0.9 * losses[0]

    def test_a_checkpoint_comes_back_equal(self, network, tmp_path):
        save_slim(tmp_path / "n.ckpt", Checkpoint(self.name, network, self.options))
        loaded = load_checkpoint(tmp_path / "n.ckpt")
        image = self.image(1, 64, 64)
        with torch.inference_mode():
            assert torch.equal(network(image), loaded.network(image))
        assert (loaded.name, loaded.options) == (self.name, self.options)

    def test_head_scales_the_logits(self, network):
        image = self.image(1, 64, 64)
        with torch.inference_mode():
            before = network(image)
            network.head.weight *= 2
            if network.head.bias is not None:
                network.head.bias *= 2
            torch.testing.assert_close(network(image), 2 * before)

    def test_bfloat16_and_channels_last_are_finite(self, network):
        network = network.to(memory_format=torch.channels_last).train()
        image = self.image(2, 64, 64).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(image)
        assert logits.shape == (2, 1, 64, 64)
        assert torch.isfinite(logits.float()).all()

    @pytest.mark.parametrize("dynamic_batch", [False, True])
    def test_onnx_gives_the_same_probabilities(self, network, dynamic_batch):
        content = to_onnx(network, square(64), dynamic_batch)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        for batch in (1, 3) if dynamic_batch else (1,):
            image = self.image(batch, 64, 64) * 2 - 1
            with torch.inference_mode():
                expected = torch.sigmoid(network(image)).numpy()
            (found,) = session.run(None, {"image": image.numpy()})
            np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
