"""The base tester of every network: a subclass names it and its published facts."""

import numpy as np
import onnxruntime
import pytest
import torch

from compile.export import to_onnx
from compile.size import square
from train.losses import bce_jaccard
from train.models import create
from train.models.checkpoint import Checkpoint, load_network, save_slim
from train.models.cost import multiply_adds, parameters


class NetworkTester:
    """Forward, backward, any size, save and load, export with equality."""

    name: str
    parameters: int
    multiply_adds_544: int
    sizes = ((64, 64), (96, 160))
    batch_norm_free_export = True

    @pytest.fixture()
    def network(self) -> torch.nn.Module:
        torch.manual_seed(0)
        network = create(self.name)
        network(torch.rand(2, 3, 64, 64))  # gives the batch norms statistics of their own
        return network.eval()

    def test_cost_is_the_published_one(self, network):
        assert parameters(network) == self.parameters
        assert multiply_adds(network, 544, 544) == self.multiply_adds_544

    def test_forward_keeps_any_size(self, network):
        for height, width in self.sizes:
            with torch.inference_mode():
                logits = network(torch.rand(1, 3, height, width))
            assert logits.shape == (1, 1, height, width)
            assert torch.isfinite(logits).all()

    def test_backward_reaches_every_parameter(self, network):
        network.train()
        label = (torch.rand(2, 1, 64, 64) > 0.9).float()
        bce_jaccard(network(torch.rand(2, 3, 64, 64)), label).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name

    def test_a_few_steps_lower_the_loss(self, network):
        network.train()
        image = torch.rand(2, 3, 64, 64)
        label = (image.mean(dim=1, keepdim=True) > 0.55).float()
        optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
        losses = []
        for _ in range(12):
            loss = bce_jaccard(network(image), label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[-1] < 0.9 * losses[0]

    def test_a_checkpoint_comes_back_equal(self, network, tmp_path):
        save_slim(tmp_path / "n.ckpt", Checkpoint(self.name, network))
        name, loaded = load_network(tmp_path / "n.ckpt")
        image = torch.rand(1, 3, 64, 64)
        with torch.inference_mode():
            assert torch.equal(network(image), loaded(image))
        assert name == self.name

    @pytest.mark.parametrize("dynamic_batch", [False, True])
    def test_onnx_gives_the_same_probabilities(self, network, dynamic_batch):
        content = to_onnx(network, square(64), dynamic_batch)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        for batch in (1, 3) if dynamic_batch else (1,):
            image = torch.rand(batch, 3, 64, 64) * 2 - 1
            with torch.inference_mode():
                expected = torch.sigmoid(network(image)).numpy()
            (found,) = session.run(None, {"image": image.numpy()})
            np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
