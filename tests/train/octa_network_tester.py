"""The base tester of the networks of OCTA: as for photographs, but for what depth forbids."""

import io
import warnings

import numpy as np
import onnxruntime
import torch
from network_tester import NetworkTester
from torch import Tensor

from train.models import create


class OctaNetworkTester(NetworkTester):
    """`options` have a depth of 4, and width or plane widths of a few channels."""

    leading = (2, 4)
    steps = 30

    def target(self, image: Tensor) -> Tensor:
        """Something bright anywhere in the column."""
        return (image.flatten(1, -3).amax(dim=1, keepdim=True) > 0.9).float()

    def test_bfloat16_and_channels_last_are_finite(self, network):
        """Without channels last, which a network of planes and volumes has two of."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network.train()(self.image(2, 64, 64))
        assert logits.shape == (2, 1, 64, 64)
        assert torch.isfinite(logits.float()).all()

    def test_onnx_gives_the_same_probabilities(self, network):
        image, file = self.image(1, 32, 48) * 2 - 1, io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(network, (image,), dynamo=True, opset_version=18, verbose=False).save(
                file
            )
        session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(found, network(image).numpy(), atol=1e-4, rtol=1e-4)

    def test_projections_pass_the_same_path(self):
        flat = {"channels": 3}
        if "poolings" in self.options:
            flat |= {"poolings": (1,) * len(self.options["poolings"])}
        network = create(self.name, **self.options | flat).eval()
        image = torch.rand(1, 3, 32, 48)
        with torch.inference_mode():
            logits = network(image)
            assert torch.equal(logits, network(image[:, :, None]))
        assert (network.channels, network.depth) == (3, 1)
        assert logits.shape == (1, 1, 32, 48)

    def test_several_classes(self):
        network = create(self.name, **self.options, classes=3).eval()
        with torch.inference_mode():
            assert network(self.image(1, 32, 32)).shape == (1, 3, 32, 32)
