"""Clip as operators that a layout can pass through.

TVM's ONNX importer writes Clip as two finished TIR functions of NCHW maps. Converting the layout
then puts a transpose on either side, and no Clip is fused with the convolution before it.
"""

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

_OPERATORS = {"maximum": relax.op.maximum, "minimum": relax.op.minimum}


def run(module: tvm.IRModule) -> int:
    """Rewrites `main` of an imported module in place; returns how many bounds it rewrote.

    Bounds that the network computes, and bounds that are no single number, stay as they are.
    """
    change = _Bounds(module)
    module["main"] = change.visit_expr(module["main"])
    return change.count


@mutator
class _Bounds(PyExprMutator):  # type: ignore[misc]
    """`maximum(x, bound)` and `minimum(x, bound)` of a constant bound become Relax operators."""

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self.count = 0

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        """Overrides."""
        call = self.visit_expr_post_order(call)
        if call.op != tvm.ir.Op.get("relax.call_tir") or len(call.args[1].fields) != 2:
            return call
        operator = _OPERATORS.get(call.args[0].name_hint.rstrip("0123456789"))
        value, bound = call.args[1].fields
        number = None if operator is None else self._number(bound)
        if number is None:
            return call
        self.count += 1
        return operator(value, relax.const(number, value.ty.dtype))

    def _number(self, bound: relax.Expr) -> float | None:
        """What a rank-0 bound holds, through the importer's where(isnan(b), infinity, b)."""
        if isinstance(bound, relax.Var):
            given = self.lookup_binding(bound)
            return None if given is None else self._number(given)
        if isinstance(bound, relax.Call) and bound.op == tvm.ir.Op.get("relax.where"):
            _, unbounded, inner = bound.args
            number = self._number(inner)
            if number is not None and np.isnan(number):
                return self._number(unbounded)
            return number
        if not isinstance(bound, tvm.ir.expr.GenericConst):
            return None
        value = bound.value.numpy()
        return float(value) if value.ndim == 0 else None
