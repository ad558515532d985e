"""IPN: what its paper says of it."""

import pytest
import torch
from octa_network_tester import OctaNetworkTester
from torch import nn

from edge_vessel.errors import UsageError
from train.models import create


class TestIPN(OctaNetworkTester):
    name = "ipn"
    parameters = 186_657
    multiply_adds_544 = 774_575_783_936
    multiple = 1
    options = {"width": 4, "poolings": (2, 2)}  # noqa: RUF012


def test_modules_pool_the_depth_alone_as_the_paper_does():
    with torch.device("meta"):
        network = create("ipn")
    pools = [one.kernel_size for one in network.modules() if isinstance(one, nn.MaxPool3d)]
    assert pools == [(5, 1, 1), (4, 1, 1), (4, 1, 1), (2, 1, 1)]
    kernels = [one.kernel_size for one in network.modules() if isinstance(one, nn.Conv3d)]
    # Where one voxel of depth is left, the outer thirds of a 3x3x3 kernel would see zeros alone.
    assert kernels == [(3, 3, 3)] * 7 + [(1, 3, 3)] * 2


def test_a_pixel_sees_its_own_column_and_a_few_neighbours():
    network = create("ipn", width=4, poolings=(2, 2)).eval()
    volume = torch.rand(1, 2, 4, 33, 33, requires_grad=True)
    network(volume)[0, 0, 16, 16].backward()
    seen = (volume.grad != 0).any(dim=1)[0].any(dim=0)
    reach = 1 + 2 * 2  # the first convolution, two of each module
    rows, columns = torch.nonzero(seen, as_tuple=True)
    assert max((rows - 16).abs().max(), (columns - 16).abs().max()) <= reach


@pytest.mark.parametrize("poolings", [(), (0, 4)])
def test_poolings_that_are_none_are_one_line(poolings):
    with pytest.raises(UsageError, match="one or more numbers from 1"):
        create("ipn", poolings=poolings)
