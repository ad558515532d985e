"""The U-Net on projections."""

from octa_network_tester import OctaNetworkTester


class TestPlaneUNet(OctaNetworkTester):
    name = "plane_unet"
    parameters = 1_927_009
    multiply_adds_544 = 41_629_908_992
    multiple = 8
    options = {"plane_widths": (4, 8)}  # noqa: RUF012
    leading = (3,)
