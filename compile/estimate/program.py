"""TIR functions and harness.c as one static aarch64 program."""

import re
from pathlib import Path

import tvm
import tvm_ffi
from tvm import tirx
from tvm.s_tir.meta_schedule.arg_info import ArgInfo

from compile.estimate.tools import call
from edge_vessel.errors import DeviceError

_HARNESS = Path(__file__).with_name("harness.c")
_CODES = {"float": "kDLFloat", "int": "kDLInt", "uint": "kDLUInt"}


def build(functions: dict[str, tirx.PrimFunc], target: tvm.target.Target, folder: Path) -> Path:
    """The program; with a number N it calls the N-th function, from 0.

    Raises:
        DeviceError: TVM or the linker could not build it.
    """
    named = {name: one.with_attr("global_symbol", name) for name, one in functions.items()}
    try:
        table = "".join(_line(name, function) for name, function in functions.items())
        compiled = tvm.compile(tvm.IRModule(named), target=target)
        compiled.mod.write_to_file(str(folder / "functions.o"), "o")
    except (RuntimeError, ValueError, TypeError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise DeviceError(f"estimate: cannot be built: {line}") from error
    (folder / "functions.inc").write_text(table)
    headers = [tvm_ffi.libinfo.find_include_path(), tvm_ffi.libinfo.find_dlpack_include_path()]
    headers.append(str(Path(tvm.__file__).parent / "include"))
    options = ["-O2", "-static", "-o", "program", "-I.", *(f"-I{one}" for one in headers)]
    call(["aarch64-linux-gnu-gcc", *options, str(_HARNESS), "functions.o", "-lm"], folder)
    return folder / "program"


def _line(name: str, function: tirx.PrimFunc) -> str:
    """What harness.c knows of a function."""
    tensors = []
    for info in ArgInfo.from_prim_func(function):
        _, kind, shape = info.as_json()
        found = re.fullmatch(r"(\D+)(\d+)", kind)
        if found is None or found[1] not in _CODES:
            raise DeviceError(f"estimate: {name}: arguments of {kind} are not covered")
        sides = "".join(f", {int(side)}" for side in shape)
        tensors.append(f"TENSOR({_CODES[found[1]]}, {found[2]}{sides})")
    return f"FUNCTION({name}, {', '.join(tensors)})\n"
