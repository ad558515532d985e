"""From a checkpoint to an artifact: on the workstation, never on the board."""

import edge_vessel  # noqa: F401  # before ONNX Runtime, which it silences
