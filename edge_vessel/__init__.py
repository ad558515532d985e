"""Retinal vessel segmentation on the board beside the camera."""

import os

# OpenCV reads its own limit once, while its library is loaded; a gigapixel file is refused by it
# before anything is allocated. A board of 2 GB cannot segment more than 100 megapixels.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(100_000_000))

# ONNX Runtime tells its maker over the network that it is used, unless it finds this when it is
# loaded. Nothing leaves the device.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
