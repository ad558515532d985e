"""Files of PyTorch, read without running code out of them."""

from pathlib import Path
from typing import Any

import torch

from edge_vessel.errors import UsageError


def load_tensors(path: Path, what: str) -> Any:
    """The content of a file of tensors and plain values, on the CPU.

    Raises:
        UsageError: "not `what`", and why in half a sentence: PyTorch's own goes on to advise that
            code in the file be run.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise UsageError(f"{path}: not {what}: {reason}") from error
