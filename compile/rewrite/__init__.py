"""Graph rewrites on ONNX, so that every engine gets them (docs/decisions/0005)."""

from collections.abc import Callable

import onnx
from onnx import ModelProto

from compile.rewrite import compose_pointwise, fold_batch_norms, sink_pointwise
from compile.rewrite.saved import Cost, Saved, cost

# In the order in which they run: what sinks first stands side by side to be composed.
PASSES: dict[str, Callable[[ModelProto], int]] = {
    "sink_pointwise": sink_pointwise.run,
    "compose_pointwise": compose_pointwise.run,
}


def apply(content: bytes) -> tuple[bytes, list[Saved]]:
    """All passes over an exported model; the function that it computes stays the same.

    Args:
        content: ONNX with static shapes, as `compile.export` writes it.

    Returns:
        The rewritten model, checked, and what each pass saved.
    """
    model = onnx.load_from_string(content)
    saved = []
    for name, run in PASSES.items():
        before = cost(model)
        count = run(model)
        saved.append(Saved(name, count, before, cost(model)))
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    rewritten: bytes = model.SerializeToString()
    return rewritten, saved


__all__ = ["PASSES", "Cost", "Saved", "apply", "cost", "fold_batch_norms"]
