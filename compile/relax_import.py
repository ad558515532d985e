"""Any supported network as a Relax module whose operators are TIR functions in NHWC."""

import re

import onnx
import tvm
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx

from compile.rewrite import camera_bytes, subpixel, widen
from edge_vessel.errors import UsageError

_CHANNELS_LAST = {"relax.nn.conv2d": ["NHWC", "HWIO"]}


@relax.expr_functor.mutator
class _Bounds(relax.PyExprMutator):
    """The importer makes a Clip two finished functions, whose layout is fixed: between two
    convolutions each would be transposed there and back, a pass over the map of its own."""

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        if call.op == tvm.ir.Op.get("relax.call_tir"):
            for bound in (relax.op.maximum, relax.op.minimum):
                if re.fullmatch(rf"{bound.__name__}\d*", call.args[0].name_hint):
                    return bound(*call.args[1].fields)
        return call


def _with_bounds(imported: tvm.IRModule) -> tvm.IRModule:
    """Clips as Relax's own operators, which fuse with the convolution before them."""
    folded = relax.transform.FoldConstant()(imported)
    folded.update_func(folded.get_global_var("main"), _Bounds(folded).visit_expr(folded["main"]))
    return folded


def module(
    content: bytes, scale: float, offset: float, lanes: int, target: tvm.target.Target
) -> tvm.IRModule:
    """`main`: uint8 (1, H, W, 3) -> probability (1, 1, H, W); weights are constants of it.

    Args:
        content: ONNX with static shapes, batch norms folded.
        scale, offset: the network sees pixel * scale + offset.
        lanes: floats in a vector; output channels are filled up to a multiple.
        target: of the operators that TVM picks by target.

    Raises:
        UsageError: a node that cannot be imported.
    """
    model = onnx.load_from_string(content)
    camera_bytes.run(model, scale, offset)
    subpixel.run(model)
    widen.run(model, lanes)
    left = [node for node in model.graph.node if node.op_type == "ConvTranspose"]
    if left:
        raise UsageError(
            f"node {left[0].name or left[0].output[0]}: a transposed convolution with groups, "
            "dilation or two strides cannot be compiled; --engine onnx runs it"
        )
    try:
        imported = from_onnx(model, keep_params_in_input=False)
    except Exception as error:  # the importer raises whatever its operators raise
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"TVM cannot import it: {line}; --engine onnx runs it") from error
    with target:
        lowered: tvm.IRModule = tvm.transform.Sequential(
            [
                relax.transform.DecomposeOpsForInference(),
                relax.transform.CanonicalizeBindings(),
                relax.transform.ConvertLayout(_CHANNELS_LAST),
                relax.transform.Normalize(),
                relax.transform.CanonicalizeBindings(),
                relax.transform.LegalizeOps(),
                relax.transform.FoldConstant(),
                relax.transform.AnnotateTIROpPattern(),
                relax.transform.DeadCodeElimination(),
                relax.transform.FuseOps(),
                relax.transform.FuseTIR(),
                relax.transform.DeadCodeElimination(),
            ]
        )(_with_bounds(imported))
    return lowered
